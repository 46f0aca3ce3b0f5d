// What task = "depth" trains on, and how its previews show it.
#pragma once
#include <memory>
#include <span>

#include "apps/training/config.hpp"
#include "engine/data/depth_batches.hpp"
#include "engine/data/depth_loader.hpp"
#include "engine/image/image.hpp"

namespace chiaro {

// The data of a depth training, as its configuration names them.
struct DepthData {
  std::shared_ptr<const DepthList> train, validation;  // validation: null without a list
};

// Errors: more than one folder, and those of DepthList.
DepthData open_depth_data(const TrainConfig& config);

// target: size of the network's output.
DepthBatchOptions depth_batch_options(const TrainConfig& config, DepthUse use, PictureSize target);

// What a depth network makes of some pictures, to look at.

// One row for each of the first `most` pairs of the batch: the photo, its measured depth (gray where
// unknown), the prediction. Both maps in the colors of draw_depth(), over the range of the measured one.
// prediction: as batch.depth. A picture without rows when the batch has no pair.
Image draw_depth_preview(const DepthBatch& batch, std::span<const float> prediction, PictureSize input,
                         PictureSize target, std::size_t most = 4);

}  // namespace chiaro
