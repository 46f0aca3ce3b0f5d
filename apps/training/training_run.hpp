// A whole training run, begun or continued, of whatever task the configuration names.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "apps/training/config.hpp"
#include "engine/session_plan.hpp"
#include "kernels/base/context.hpp"

namespace chiaro {

// What a run may be told beyond its configuration.
struct TrainOptions {
  SessionOptions session;
};

// Trains from scratch into config.train.out, which must not hold a run yet. Returns the exit status, as
// TrainingLoop::execute().
int train(Context& context, const TrainConfig& config, const TrainOptions& options);

// Continues a run from its newest readable checkpoint, or from the beginning when it has none yet, bit for
// bit as if it had never stopped (same device, precision and threads). Overrides may change the length of the
// run and its reporting, nothing that changes its results.
int resume(Context& context, const std::filesystem::path& run, const std::vector<std::string>& overrides,
           const TrainOptions& options);

}  // namespace chiaro
