// The optimizer that a configuration asks for, and the step that every trainer makes with it.
#pragma once
#include <functional>
#include <vector>

#include "apps/training/config.hpp"
#include "engine/buffer.hpp"
#include "engine/cuda_graph.hpp"
#include "engine/param_store.hpp"
#include "engine/session.hpp"
#include "kernels/base/context.hpp"

namespace chiaro {

// The optimizer that a configuration asks for, on the parameters of one network, and the norm of their
// gradient.

// Of a step of a run of so many iterations; steps count from 1:
//   lr * decay^k * min(step / warmup, 1) * (1 + cos(pi * (step - 1) / iterations)) / 2
// k = how many times decay_every iterations have passed before. Without a warm-up, or with a constant
// schedule, the factor is 1.
double learning_rate(const OptimizerConfig& config, std::int64_t step, std::int64_t iterations);

// What the running average takes of the weights after a step: 1 - average, and more in the beginning, where
// an average over few steps has to forget the first weights: 1 - (1 + step) / (10 + step).
double averaging_rate(const OptimizerConfig& config, std::int64_t step);

// A part of the slab that learns at a rate of its own.
struct ParamRange {
  std::int64_t first, count;  // floats
  double lr_factor = 1;       // of the learning rate
  std::int64_t waits = 0;     // steps in which it does not learn; its moments do
};

// L2 norm of an fp32 tensor in the memory of the context's device. Waits.
double norm_of(Context& context, ConstTensorView x);

// Adam, or SGD, whose velocity is kept where Adam keeps the first moments, and the running averages of a
// store that has them. measure_gradient() and update()
// wait for nothing and can be recorded (engine/cuda_graph.hpp): what changes from step to step is in
// memory that prepare() fills. Allocated once.
class Optimizer {
 public:
  // iterations: of the run, for the schedule of the learning rate. ranges: the parts that learn; none = all
  // of the slab. The store outlives this object.
  Optimizer(Context& context, const OptimizerConfig& config, std::int64_t iterations, ParamStore& params,
            std::vector<ParamRange> ranges = {});

  // For the next update(): the factors of a step; it counts from 1. What was queued before must have been
  // waited for.
  void prepare(std::int64_t step);
  void update();

  void measure_gradient();
  double gradient_norm() const;  // of the last measure_gradient(); waits

 private:
  template <class Factors>
  void write_factors(std::size_t range, const Factors& factors);
  template <class Factors>
  const Factors* factors_at(std::size_t range) const;

  Context& context_;
  OptimizerConfig config_;
  std::int64_t iterations_;
  ParamStore& params_;
  std::vector<ParamRange> ranges_;
  Buffer factors_, norm_;                  // where the device reads and writes them
  Buffer factors_on_host_, norm_on_host_;  // pinned; empty on the CPU
  Buffer workspace_;
};

// One step of training in memory: feed, forward, backward, norm of the gradient, update. On a GPU it is
// recorded once and replayed as one CUDA graph (engine/cuda_graph.hpp).
class TrainingStep {
 public:
  // feed: queues what the session's graph reads, from memory that is filled before run(). ranges: as in
  // Optimizer. Session and store outlive this object.
  TrainingStep(Context& context, const TrainConfig& config, Session& session, ParamStore& params,
               std::function<void()> feed, std::vector<ParamRange> ranges = {});
  TrainingStep(const TrainingStep&) = delete;
  TrainingStep& operator=(const TrainingStep&) = delete;

  // Steps count from 1. Losses, gradients and parameters are the session's and the store's, as usual.
  void run(std::int64_t step);
  Optimizer& optimizer() { return optimizer_; }
  const Optimizer& optimizer() const { return optimizer_; }

 private:
  Optimizer optimizer_;
  CudaGraph work_;
};

}  // namespace chiaro
