// What a depth network makes of some pictures, to look at.
#pragma once
#include <span>

#include "engine/data/depth_batches.hpp"
#include "engine/image/image.hpp"

namespace chiaro {

// One row for each of the first `most` pairs of the batch: the photo, its measured depth (gray where
// unknown), the prediction. Both maps in the colors of draw_depth(), over the range of the measured one.
// prediction: as batch.depth. A picture without rows when the batch has no pair.
Image draw_depth_preview(const DepthBatch& batch, std::span<const float> prediction, PictureSize input,
                         PictureSize target, std::size_t most = 4);

}  // namespace chiaro
