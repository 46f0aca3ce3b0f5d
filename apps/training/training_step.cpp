#include "apps/training/training_step.hpp"

namespace chiaro {

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
