#include "apps/evaluate/depth_estimator.hpp"

#include "weights_import/weights_import.hpp"

namespace chiaro {

namespace {

constexpr const char* kPrediction = "prediction";

}  // namespace

DepthEstimator::DepthEstimator(Context& context, const std::string& weights_file, DType dtype)
    : network_(context, load_network(weights_file, "resnet_upproj"), weights_file, {kPrediction}, dtype) {}

DepthMap DepthEstimator::estimate(const Image& picture) {
  const ConstTensorView depth = network_.look(picture).at(kPrediction);
  return {depth.shape.h, depth.shape.w, to_floats(depth)};
}

}  // namespace chiaro
