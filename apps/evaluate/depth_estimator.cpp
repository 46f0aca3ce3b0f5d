#include "apps/evaluate/depth_estimator.hpp"

#include "apps/common/loss_weights.hpp"
#include "engine/transfer.hpp"

namespace chiaro {

namespace {

constexpr const char* kPrediction = "prediction";

}  // namespace

DepthEstimator::DepthEstimator(Context& context, const std::string& weights_file, DType dtype)
    : context_(context),
      network_(context, load_loss_weights(weights_file, "resnet_upproj"), weights_file, {kPrediction},
               dtype) {}

DepthMap DepthEstimator::estimate(const Image& picture) {
  const ConstTensorView depth = network_.features(picture).at(kPrediction);
  return {depth.shape.h, depth.shape.w, read_tensor(context_, depth)};
}

}  // namespace chiaro
