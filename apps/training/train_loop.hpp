// The style-training loop: batches in; metrics, previews, checkpoints, report and the trained model out.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/config/config.hpp"
#include "engine/session_plan.hpp"
#include "kernels/common/context.hpp"

namespace chiaro {

struct TrainOptions {
  SessionOptions session;
};

// Trains from scratch into config.train.out. Returns the exit status: 0 when all iterations ran, 130 when a
// signal stopped the run after a checkpoint. A loss that is not finite is an Error that names the term.
int train_style(Context& context, const TrainConfig& config, const TrainOptions& options);

// Continues a run from its newest usable checkpoint, bit for bit as if it had never stopped (same device,
// precision and threads). Overrides may change the length of the run and its reporting, nothing that changes
// its results.
int resume_style(Context& context, const std::filesystem::path& run,
                 const std::vector<std::string>& overrides, const TrainOptions& options);

}  // namespace chiaro
