#include "apps/evaluate/depth_map.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

// Where an output coordinate lies between two of the source.
struct Tap {
  std::int64_t low, high;
  float part;  // of high
};

std::vector<Tap> taps(std::int64_t from, std::int64_t to) {
  std::vector<Tap> all;
  for (std::int64_t i = 0; i < to; ++i) {
    const double place =
        (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    const double inside = std::clamp(place, 0.0, static_cast<double>(from - 1));
    const auto low = static_cast<std::int64_t>(inside);
    all.push_back({low, std::min(low + 1, from - 1), static_cast<float>(inside - static_cast<double>(low))});
  }
  return all;
}

}  // namespace

bool is_depth(float meters) {
  return std::isfinite(meters) && meters > 0;
}

DepthMap resize_bilinear(const DepthMap& map, std::int64_t height, std::int64_t width) {
  require(map.height > 0 && map.width > 0 && height > 0 && width > 0,
          "depth map of {}x{} values cannot be resized to {}x{}", map.width, map.height, width, height);
  if (height == map.height && width == map.width) return map;
  DepthMap result{height, width, {}};
  result.meters.reserve(static_cast<std::size_t>(height * width));
  const auto columns = taps(map.width, width);
  for (const Tap& row : taps(map.height, height))
    for (const Tap& column : columns) {
      const float top = std::lerp(map.at(row.low, column.low), map.at(row.low, column.high), column.part);
      const float bottom =
          std::lerp(map.at(row.high, column.low), map.at(row.high, column.high), column.part);
      result.meters.push_back(std::lerp(top, bottom, row.part));
    }
  return result;
}

double quantile(std::vector<float> values, double part) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double place = part * static_cast<double>(values.size() - 1);
  const auto low = values.begin() + static_cast<std::ptrdiff_t>(place);
  std::nth_element(values.begin(), low, values.end());
  const double share = place - std::floor(place);
  if (share == 0) return *low;
  const double next = *std::min_element(low + 1, values.end());
  return *low + share * (next - *low);
}

std::vector<float> depths_of(const DepthMap& map) {
  std::vector<float> values;
  std::copy_if(map.meters.begin(), map.meters.end(), std::back_inserter(values), is_depth);
  return values;
}

}  // namespace chiaro
