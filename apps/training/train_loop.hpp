// The style-training loop: batches in; metrics, previews, checkpoints, report and the trained model out.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "apps/training/train_options.hpp"
#include "engine/config/config.hpp"
#include "engine/data/batch_builder.hpp"
#include "kernels/common/context.hpp"

namespace chiaro {

// How a run makes its batches.
BatchOptions batch_options(const TrainConfig& config);

// Trains from scratch into config.train.out. Returns the exit status: 0 when all iterations ran, 130 when a
// signal stopped the run after a checkpoint. A loss or gradient that is not finite is an Error that names the
// iteration, the term and the last checkpoint; no parameter that is not finite is ever written.
int train_style(Context& context, const TrainConfig& config, const TrainOptions& options);

// Continues a run from its newest readable checkpoint, or from the beginning when it has none yet, bit for
// bit as if it had never stopped (same device, precision and threads). Overrides may change the length of the
// run and its reporting, nothing that changes its results.
int resume_style(Context& context, const std::filesystem::path& run,
                 const std::vector<std::string>& overrides, const TrainOptions& options);

}  // namespace chiaro
