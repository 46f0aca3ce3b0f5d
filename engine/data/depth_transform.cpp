#include "engine/data/depth_transform.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/rng.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr std::uint32_t kAugmentStream = 0x64617567;  // "daug" in ASCII

// The numbers of one pair in one epoch, one after the other.
class Draws {
 public:
  Draws(std::uint64_t seed, std::int64_t epoch, std::int64_t index)
      : rng_(seed, kAugmentStream),
        counter_((static_cast<std::uint64_t>(epoch) << 32 | static_cast<std::uint64_t>(index)) << 4) {}
  double between(double low, double high) {
    return low + (high - low) * static_cast<double>(rng_.uniform(counter_++));
  }
  std::int64_t below(std::int64_t n) { return rng_.below(counter_++, n); }

 private:
  Rng rng_;
  std::uint64_t counter_;  // sixteen for each pair and epoch
};

// The middle of a window of `extent` scaled pixels, in source pixels.
double random_center(Draws& draws, std::int64_t source, double scale, double extent) {
  const double slack = static_cast<double>(source) * scale - extent;
  const std::int64_t start = draws.below(static_cast<std::int64_t>(std::max(slack, 0.0)) + 1);
  if (slack < 0) return static_cast<double>(source) / 2;
  return (static_cast<double>(start) + extent / 2) / scale;
}

// From pixels of a result of the given size to points of the source.
class Affine {
 public:
  Affine(const DepthTransform& t, PictureSize window, PictureSize target)
      : step_y_(static_cast<double>(window.height) / static_cast<double>(target.height)),
        step_x_(static_cast<double>(window.width) / static_cast<double>(target.width)),
        half_y_(static_cast<double>(window.height) / 2),
        half_x_(static_cast<double>(window.width) / 2),
        center_y_(t.center_y),
        center_x_(t.center_x),
        cos_(std::cos(t.rotation) / t.scale),
        sin_(std::sin(t.rotation) / t.scale),
        sign_(t.mirror ? -1 : 1) {}

  struct Point {
    double y, x;
  };
  Point operator()(std::int64_t row, std::int64_t column) const {
    const double dy = (static_cast<double>(row) + 0.5) * step_y_ - half_y_;
    const double dx = ((static_cast<double>(column) + 0.5) * step_x_ - half_x_) * sign_;
    return {center_y_ + sin_ * dx + cos_ * dy, center_x_ + cos_ * dx - sin_ * dy};
  }

 private:
  double step_y_, step_x_, half_y_, half_x_, center_y_, center_x_, cos_, sin_, sign_;
};

// The two pixels of a row or column around a position, and the share of the second.
struct Neighbors {
  std::int64_t first, second;
  float share;
};

Neighbors neighbors(double position, std::int64_t extent) {
  const double at = std::clamp(position - 0.5, 0.0, static_cast<double>(extent - 1));
  const auto first = static_cast<std::int64_t>(at);
  return {first, std::min(first + 1, extent - 1), static_cast<float>(at - static_cast<double>(first))};
}

}  // namespace

void check_augmentation(const DepthAugmentation& a) {
  const auto in = [](double value, double low, double high) { return value >= low && value <= high; };
  require(in(a.max_scale, 1, 10) && in(a.max_rotation, 0, 45),
          "depth data: scales up to {} and rotations up to {} degrees, expected 1 to 10 and 0 to 45",
          a.max_scale, a.max_rotation);
  require(in(a.channel_gain, 0, 1) && in(a.overall_gain, 0, 1) && in(a.mirror_probability, 0, 1),
          "depth data: channel gain {}, overall gain {} and mirror probability {} must lie in 0 to 1",
          a.channel_gain, a.overall_gain, a.mirror_probability);
}

DepthTransform middle_window(PictureSize source, PictureSize window) {
  const auto middle = [](std::int64_t outer, std::int64_t inner) {
    return std::floor(static_cast<double>(outer - inner) / 2) + static_cast<double>(inner) / 2;
  };
  return {.center_y = middle(source.height, window.height), .center_x = middle(source.width, window.width)};
}

DepthTransform random_window(const DepthAugmentation& a, std::uint64_t seed, std::int64_t epoch,
                             std::int64_t index, PictureSize source, PictureSize window) {
  require(epoch >= 0 && epoch < (std::int64_t{1} << 28) && index >= 0 && index < (std::int64_t{1} << 32),
          "depth data: epoch {} or pair {} is beyond what can be drawn", epoch, index);
  Draws draws(seed, epoch, index);
  DepthTransform t;
  t.scale = draws.between(1, a.max_scale);
  t.rotation = draws.between(-a.max_rotation, a.max_rotation) * std::numbers::pi / 180;
  t.mirror = draws.between(0, 1) < a.mirror_probability;
  const double overall = draws.between(1 - a.overall_gain, 1 + a.overall_gain);
  for (float& gain : t.gain) {
    gain = static_cast<float>(overall * draws.between(1 - a.channel_gain, 1 + a.channel_gain));
  }
  // The box around the rotated window.
  const double c = std::cos(t.rotation), s = std::abs(std::sin(t.rotation));
  const auto h = static_cast<double>(window.height), w = static_cast<double>(window.width);
  t.center_y = random_center(draws, source.height, t.scale, h * c + w * s);
  t.center_x = random_center(draws, source.width, t.scale, w * c + h * s);
  return t;
}

void resample_photo(const Image& photo, const DepthTransform& transform, PictureSize window,
                    std::span<float> rgb) {
  require(photo.channels == 3 && static_cast<std::int64_t>(rgb.size()) == window.height * window.width * 3,
          "depth data: a photo of {} channels for a window of {} x {} and {} values", photo.channels,
          window.width, window.height, rgb.size());
  const Affine source(transform, window, window);
  float* out = rgb.data();
  for (std::int64_t row = 0; row < window.height; ++row) {
    for (std::int64_t column = 0; column < window.width; ++column) {
      const auto [y, x] = source(row, column);
      const Neighbors ys = neighbors(y, photo.height), xs = neighbors(x, photo.width);
      const std::uint8_t *p00 = photo.at(ys.first, xs.first), *p01 = photo.at(ys.first, xs.second);
      const std::uint8_t *p10 = photo.at(ys.second, xs.first), *p11 = photo.at(ys.second, xs.second);
      for (std::size_t c = 0; c < 3; ++c) {
        const float top = p00[c] + xs.share * (static_cast<float>(p01[c]) - p00[c]);
        const float bottom = p10[c] + xs.share * (static_cast<float>(p11[c]) - p10[c]);
        *out++ = std::clamp((top + ys.share * (bottom - top)) * transform.gain[c], 0.0f, 255.0f);
      }
    }
  }
}

void resample_depth(const GrayImage& depth, double meters_per_unit, const DepthTransform& transform,
                    PictureSize window, PictureSize target, std::span<float> meters) {
  require(static_cast<std::int64_t>(meters.size()) == target.height * target.width,
          "depth data: a target of {} x {} and {} values", target.width, target.height, meters.size());
  const Affine source(transform, window, target);
  const double unit = meters_per_unit / transform.scale;
  float* out = meters.data();
  for (std::int64_t row = 0; row < target.height; ++row) {
    for (std::int64_t column = 0; column < target.width; ++column) {
      const auto [y, x] = source(row, column);
      const auto from_y = static_cast<std::int64_t>(std::floor(y));
      const auto from_x = static_cast<std::int64_t>(std::floor(x));
      const bool inside = from_y >= 0 && from_y < depth.height && from_x >= 0 && from_x < depth.width;
      const int value = inside ? depth.values[static_cast<std::size_t>(from_y * depth.width + from_x)] : 0;
      *out++ = static_cast<float>(value * unit);
    }
  }
}

}  // namespace chiaro
