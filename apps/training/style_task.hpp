// task = "style": a transform network learns a style.
//
// Lines of metrics.jsonl: {iteration, gradient_norms and parameter_gradient_norm at intervals, raw, weighted,
// total, images_per_s}, the first and the two in the middle with a value per loss term; with several styles also
// style_losses, the raw style loss by style of the batch. Previews show up to four photos above and the same in each style
// below.
#pragma once
#include <memory>

#include "apps/training/training_task.hpp"

namespace chiaro {

// Errors: those of StyleTrainer and of open_photo_source().
std::unique_ptr<TrainingTask> make_style_task(const TaskSetup& setup);

}  // namespace chiaro
