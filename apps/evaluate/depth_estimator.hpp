// Depth from one picture by a trained network.
#pragma once
#include <string>

#include "apps/evaluate/depth_map.hpp"
#include "apps/evaluate/feature_extractor.hpp"

namespace chiaro {

class DepthEstimator {
 public:
  // A ResNet-UpProj in any format that load_network() reads. Errors: those of load_network().
  DepthEstimator(Context& context, const std::string& weights_file, DType dtype);

  // Meters, in the network's own resolution: up to the picture's. RGB, both sides at least
  // kSmallestPicture.
  DepthMap estimate(const Image& picture);

 private:
  Context& context_;
  FeatureExtractor network_;
};

// What every network here can look at, and SSIM can be computed on; pixels.
inline constexpr std::int64_t kSmallestPicture = 32;

}  // namespace chiaro
