// The batches of photos that a configuration asks for.
#pragma once
#include "apps/training/config.hpp"
#include "engine/data/loader.hpp"

namespace chiaro {

BatchOptions batch_options(const TrainConfig& config);

// first_batch: how many batches the run has had.
LoaderOptions loader_options(const TrainConfig& config, std::int64_t first_batch = 0);

}  // namespace chiaro
