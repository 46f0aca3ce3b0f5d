#include "apps/training/optimizer.hpp"

#include <cmath>

#include "kernels/adam/adam.hpp"
#include "kernels/sgd/sgd.hpp"

namespace chiaro {

double learning_rate(const OptimizerConfig& config, std::int64_t step) {
  if (config.decay_every == 0) return config.lr;
  return config.lr * std::pow(config.decay, static_cast<double>((step - 1) / config.decay_every));
}

void optimizer_step(Context& context, const OptimizerConfig& config, std::int64_t step, ParamStore& params) {
  const double lr = learning_rate(config, step);
  if (config.method == "sgd")
    sgd::step(context, {.lr = lr, .momentum = config.momentum}, params.slab_count(),
              params.gradients().data(), params.values().data(), params.first_moments().data());
  else
    adam::step(context, {.lr = lr, .beta1 = config.beta1, .beta2 = config.beta2, .eps = config.eps}, step,
               params.slab_count(), params.gradients().data(), params.values().data(),
               params.first_moments().data(), params.second_moments().data());
  params.values_changed();
}

}  // namespace chiaro
