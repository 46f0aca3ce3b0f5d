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
  const ParamRange all{0, params.slab_count()};
  optimizer_step(context, config, step, params, std::span(&all, 1));
}

void optimizer_step(Context& context, const OptimizerConfig& config, std::int64_t step, ParamStore& params,
                    std::span<const ParamRange> ranges) {
  for (const ParamRange& range : ranges) {
    const double lr = learning_rate(config, step) * range.lr_factor;
    const auto part = [&](std::span<float> slab) { return slab.data() + range.first; };
    if (config.method == "sgd")
      sgd::step(context, {.lr = lr, .momentum = config.momentum}, range.count, part(params.gradients()),
                part(params.values()), part(params.first_moments()));
    else
      adam::step(context, {.lr = lr, .beta1 = config.beta1, .beta2 = config.beta2, .eps = config.eps}, step,
                 range.count, part(params.gradients()), part(params.values()), part(params.first_moments()),
                 part(params.second_moments()));
  }
  params.values_changed();
}

}  // namespace chiaro
