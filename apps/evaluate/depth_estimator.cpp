#include "apps/evaluate/depth_estimator.hpp"

#include "apps/common/loss_weights.hpp"
#include "apps/common/tensor_values.hpp"

namespace chiaro {

namespace {

constexpr const char* kPrediction = "prediction";

}  // namespace

DepthEstimator::DepthEstimator(Context& context, const std::string& weights_file, DType dtype)
    : network_(context, load_loss_weights(weights_file, "resnet_upproj"), weights_file, {kPrediction},
               dtype) {}

DepthMap DepthEstimator::estimate(const Image& picture) {
  const ConstTensorView depth = network_.look(picture).at(kPrediction);
  return {depth.shape.h, depth.shape.w, to_floats(depth)};
}

}  // namespace chiaro
