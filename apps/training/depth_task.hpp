// task = "depth": a ResNet-UpProj learns to see depth.
//
// Lines of metrics.jsonl: {iteration, parameter_gradient_norm at intervals, loss, lr, images_per_s}, and
// after validations {iteration, validation: {pixels, rel, rms, log10, delta1, delta2, delta3}}. RUN/model.h5
// is the network of the validation with the largest delta1, the first of equals; without a validation list,
// that of the last iteration. A run that starts from model.init has a validation of that network as its first
// line, with iteration 0. A run that was made longer has had a validation at its former end. Previews
// show pictures that the network is not trained on, where there are any.
#pragma once
#include <memory>

#include "apps/training/training_task.hpp"

namespace chiaro {

// Errors: those of DepthTrainer and of open_depth_data().
std::unique_ptr<TrainingTask> make_depth_task(const TaskSetup& setup);

}  // namespace chiaro
