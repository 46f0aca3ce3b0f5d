#include "apps/training/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "kernels/optimizer/adam.hpp"
#include "kernels/optimizer/running_average.hpp"
#include "kernels/optimizer/sgd.hpp"

namespace chiaro {

namespace {

// Room for either optimizer's factors of one range.
constexpr std::size_t kFactorBytes = 64;
static_assert(sizeof(adam::Factors) <= kFactorBytes && sizeof(sgd::Factors) <= kFactorBytes);

}  // namespace

double learning_rate(const OptimizerConfig& config, std::int64_t step, std::int64_t iterations) {
  double rate = config.lr;
  if (config.decay_every > 0)
    rate *= std::pow(config.decay, static_cast<double>((step - 1) / config.decay_every));
  if (step < config.warmup) rate *= static_cast<double>(step) / static_cast<double>(config.warmup);
  if (config.schedule == Schedule::Cosine) {
    const double done = std::min(static_cast<double>(step - 1) / static_cast<double>(iterations), 1.0);
    rate *= (1 + std::cos(std::numbers::pi * done)) / 2;
  }
  return rate;
}

double averaging_rate(const OptimizerConfig& config, std::int64_t step) {
  const auto t = static_cast<double>(step);
  return 1 - std::min(config.average, (1 + t) / (10 + t));
}

double norm_of(Context& context, ConstTensorView x) {
  const MemoryKind memory = compute_memory(context);
  const Buffer norm(sizeof(double), "a norm", memory);
  const Buffer workspace(adam::gradient_norm_workspace_bytes(context), "a norm", memory);
  adam::gradient_norm(context, x.shape.count(), x.as<float>(), norm.as<double>(), workspace.data());
  double result = 0;
  copy_async(context, &result, norm.data(), sizeof result);
  synchronize(context);
  return result;
}

Optimizer::Optimizer(Context& context, const OptimizerConfig& config, std::int64_t iterations,
                     ParamStore& params, std::vector<ParamRange> ranges)
    : context_(context),
      config_(config),
      iterations_(iterations),
      params_(params),
      ranges_(std::move(ranges)) {
  if (ranges_.empty()) ranges_ = {{0, params.slab_count()}};
  const auto factor_bytes =
      static_cast<std::int64_t>((ranges_.size() + 1) * kFactorBytes);  // the averages' at the end
  const MemoryKind memory = compute_memory(context);
  factors_ = Buffer(factor_bytes, "factors of the optimizer", memory);
  norm_ = Buffer(sizeof(double), "norm of the gradient", memory);
  workspace_ =
      Buffer(adam::gradient_norm_workspace_bytes(context), "workspace of the gradient's norm", memory);
  if (memory == MemoryKind::Host) return;
  factors_on_host_ = Buffer(factor_bytes, "factors of the optimizer", MemoryKind::Pinned);
  norm_on_host_ = Buffer(sizeof(double), "norm of the gradient", MemoryKind::Pinned);
}

template <class Factors>
void Optimizer::write_factors(std::size_t range, const Factors& factors) {
  std::byte* to = (factors_on_host_ ? factors_on_host_ : factors_).data();
  std::memcpy(to + range * kFactorBytes, &factors, sizeof factors);
}

template <class Factors>
const Factors* Optimizer::factors_at(std::size_t range) const {
  return reinterpret_cast<const Factors*>(factors_.data() + range * kFactorBytes);
}

void Optimizer::prepare(std::int64_t step) {
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    const double factor = step > ranges_[i].waits ? ranges_[i].lr_factor : 0;
    const double lr = learning_rate(config_, step, iterations_) * factor;
    if (config_.method == OptimizerMethod::Sgd)
      write_factors(
          i, sgd::factors({.lr = lr, .momentum = config_.momentum, .weight_decay = config_.weight_decay}));
    else
      write_factors(i, adam::factors({.lr = lr,
                                      .beta1 = config_.beta1,
                                      .beta2 = config_.beta2,
                                      .eps = config_.eps,
                                      .weight_decay = config_.weight_decay},
                                     step));
  }
  write_factors(ranges_.size(), static_cast<float>(averaging_rate(config_, step)));
}

void Optimizer::update() {
  using Slab = ParamStore::Slab;
  if (factors_on_host_)
    copy_async(context_, factors_.data(), factors_on_host_.data(), factors_on_host_.bytes());
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    const auto part = [&](Slab slab) { return params_.compute(slab) + ranges_[i].first; };
    if (config_.method == OptimizerMethod::Sgd)
      sgd::step(context_, factors_at<sgd::Factors>(i), ranges_[i].count, part(Slab::Gradients),
                part(Slab::Values), part(Slab::FirstMoments));
    else
      adam::step(context_, factors_at<adam::Factors>(i), ranges_[i].count, part(Slab::Gradients),
                 part(Slab::Values), part(Slab::FirstMoments), part(Slab::SecondMoments),
                 params_.rounded() ? params_.rounded() + ranges_[i].first : nullptr);
  }
  if (params_.has_averages())
    running_average::step(context_, factors_at<float>(ranges_.size()), params_.slab_count(),
                          params_.compute(Slab::Values), params_.compute(Slab::Averages));
  params_.values_computed(config_.method == OptimizerMethod::Adam);
}

void Optimizer::measure_gradient() {
  adam::gradient_norm(context_, params_.slab_count(), params_.compute(ParamStore::Slab::Gradients),
                      norm_.as<double>(), workspace_.data());
  if (norm_on_host_) copy_async(context_, norm_on_host_.data(), norm_.data(), norm_.bytes());
}

double Optimizer::gradient_norm() const {
  synchronize(context_);
  return *(norm_on_host_ ? norm_on_host_ : norm_).as<double>();
}

TrainingStep::TrainingStep(Context& context, const TrainConfig& config, Session& session, ParamStore& params,
                           std::function<void()> feed, std::vector<ParamRange> ranges)
    : optimizer_(context, config.optimizer, config.train.iterations, params, std::move(ranges)),
      work_(context, [this, &session, feed = std::move(feed)] {
        feed();
        session.forward_backward();
        optimizer_.measure_gradient();
        optimizer_.update();
      }) {}

void TrainingStep::run(std::int64_t step) {
  optimizer_.prepare(step);
  work_.run();
}

}  // namespace chiaro
