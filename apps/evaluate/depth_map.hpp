// Depth maps in memory: meters per pixel, 0 or less and non-finite values where there is no depth.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/image/image.hpp"

namespace chiaro {

struct DepthMap {
  std::int64_t height = 0, width = 0;
  std::vector<float> meters;  // rows from top to bottom

  float at(std::int64_t y, std::int64_t x) const { return meters[static_cast<std::size_t>(y * width + x)]; }
};

bool is_depth(float meters);  // finite and above 0

// Bilinear, pixel centers at half-integers, borders clamped (the convention of TensorFlow 2 and of PyTorch's
// align_corners = false). Meant for enlarging: nothing is averaged away when reducing. Zeros take part.
DepthMap resize_bilinear(const DepthMap& map, std::int64_t height, std::int64_t width);

struct DepthRange {
  float low = 0, high = 1;
};

// The given part, 0..1, of the sorted values, interpolated: 0.5 is the median. NaN without values.
double quantile(std::vector<float> values, double part);
// The values that are depths.
std::vector<float> depths_of(const DepthMap& map);

}  // namespace chiaro
