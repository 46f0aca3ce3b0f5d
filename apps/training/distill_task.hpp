// task = "distill": a VGG-19 in factors of low rank learns to imitate the one of weights.vgg19, for losses to look through.
//
// Lines of metrics.jsonl: {iteration, parameter_gradient_norm at intervals, raw, weighted, total, lr,
// images_per_s}, raw and weighted with the terms "feature" and "gram": relative squared errors, averaged over
// layers and pictures. After validations {iteration, validation: {feature: {relu1_1: ...}, gram: {...}}}: the
// same by layer, over all photos of distill.validation, their middle squares. The last batch of a validation
// is filled up with its first photos, which count twice. RUN/model.h5 is the network of the last iteration.
// There are no previews.
#pragma once
#include <memory>

#include "apps/training/training_task.hpp"

namespace chiaro {

// Errors: those of DistillTrainer and of open_photo_source().
std::unique_ptr<TrainingTask> make_distill_task(const TaskSetup& setup);

}  // namespace chiaro
