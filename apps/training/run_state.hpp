// What training runs of every task share: stopping them, continuing them, and what goes into their models.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/training/run_folder.hpp"
#include "engine/checkpoint.hpp"
#include "kernels/base/context.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

// The configuration as it goes into a model that may be handed on: file names, but no folders of this
// machine.
TrainConfig without_folders(TrainConfig config);

// "the last checkpoint is ..."; saved: its iteration, 0 for none.
std::string last_checkpoint(const RunFolder& folder, std::int64_t saved);
// For a run in which a value is not finite. Nothing of the iteration is kept: the parameters are still those
// of the one before.
Error stopped_run(const RunFolder& folder, std::int64_t iteration, std::int64_t saved,
                  const std::string& reason, const std::string& remedy);

// Refuses overrides of a resumed run that would change its results.
void require_same_results(const std::vector<std::string>& overrides);
// The newest checkpoint that can be read, loaded; statistics: a second store, or null. None when the run was
// cut off before its first one. Error when there are some and none can be read.
std::optional<CheckpointInfo> restore(const RunFolder& folder, ParamStore& params, ParamStore* statistics);
// Refuses to continue a run that has done more than train.iterations.
void require_not_over(const TrainConfig& config, const RunFolder& folder, std::int64_t done);
// Tells the user where another device or number of threads costs bits, and where the run goes on, with how
// much of train.minutes (0 = no limit) behind it.
void note_changes(const Context& context, const std::optional<CheckpointInfo>& info);
void announce_resume(const std::optional<CheckpointInfo>& info, double minutes);

}  // namespace chiaro
