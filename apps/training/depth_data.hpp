// The data of a depth training, as its configuration names them.
#pragma once
#include <memory>

#include "apps/training/config.hpp"
#include "engine/data/depth_loader.hpp"

namespace chiaro {

struct DepthData {
  std::shared_ptr<const DepthList> train, validation;  // validation: null without a list
};

// Errors: more than one folder, and those of DepthList.
DepthData open_depth_data(const TrainConfig& config);

// target: size of the network's output.
DepthBatchOptions depth_batch_options(const TrainConfig& config, DepthUse use, PictureSize target);

}  // namespace chiaro
