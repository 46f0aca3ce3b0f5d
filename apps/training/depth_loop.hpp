// The training loop of depth networks: pairs in; metrics, previews, checkpoints, report and the best model
// out.
//
// Lines of metrics.jsonl: {iteration, loss, lr, images_per_s, parameter_gradient_norm at intervals}, and
// after validations {iteration, validation: {pixels, rel, rms, log10, delta1, delta2, delta3}}. RUN/model.h5
// is the network of the validation with the largest delta1, the first of equals; without a validation list,
// that of the last iteration.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "apps/training/train_options.hpp"
#include "engine/config/config.hpp"
#include "kernels/common/context.hpp"

namespace chiaro {

// As train_style() and resume_style(). A run that was made longer by --resume has had a validation at its
// former end.
int train_depth(Context& context, const TrainConfig& config, const TrainOptions& options);
int resume_depth(Context& context, const std::filesystem::path& run,
                 const std::vector<std::string>& overrides, const TrainOptions& options);

}  // namespace chiaro
