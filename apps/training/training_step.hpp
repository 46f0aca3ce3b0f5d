// One step of training in memory: feed, forward, backward, norm of the gradient, update. On a GPU it is
// recorded once and replayed as one CUDA graph (engine/repeated_work.hpp).
#pragma once
#include <functional>
#include <vector>

#include "apps/training/optimizer.hpp"
#include "engine/repeated_work.hpp"
#include "engine/session.hpp"

namespace chiaro {

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
  RepeatedWork work_;
};

}  // namespace chiaro
