#include "apps/evaluate/structural_similarity.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

constexpr std::int64_t kWindow = 11;
constexpr double kSigma = 1.5, kC1 = 0.01, kC2 = 0.03;

std::array<double, kWindow> gaussian() {
  std::array<double, kWindow> weights;
  double sum = 0;
  for (std::int64_t i = 0; i < kWindow; ++i) {
    const double at = static_cast<double>(i - kWindow / 2) / kSigma;
    sum += weights[static_cast<std::size_t>(i)] = std::exp(-at * at / 2);
  }
  for (double& w : weights) w /= sum;
  return weights;
}

// Weighted means over all windows inside a map, row by row.
class WindowMeans {
 public:
  // value(p): what is averaged, for pixel p = y * width + x.
  template <class Value>
  WindowMeans(std::int64_t height, std::int64_t width, Value&& value)
      : columns_(width - kWindow + 1), means_(static_cast<std::size_t>((height - kWindow + 1) * columns_)) {
    const auto weights = gaussian();
    std::vector<double> rows(static_cast<std::size_t>(height * columns_));  // filtered along x
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < columns_; ++x) {
        double sum = 0;
        for (std::int64_t i = 0; i < kWindow; ++i)
          sum += weights[static_cast<std::size_t>(i)] * value(static_cast<std::size_t>(y * width + x + i));
        rows[static_cast<std::size_t>(y * columns_ + x)] = sum;
      }
    for (std::size_t p = 0; p < means_.size(); ++p)
      for (std::size_t i = 0; i < kWindow; ++i)
        means_[p] += weights[i] * rows[p + i * static_cast<std::size_t>(columns_)];
  }
  double operator[](std::size_t window) const { return means_[window]; }
  std::size_t size() const { return means_.size(); }

 private:
  std::int64_t columns_;
  std::vector<double> means_;
};

}  // namespace

Similarity structural_similarity(std::span<const double> x, std::span<const double> y,
                                 std::span<const char> usable, std::int64_t height, std::int64_t width,
                                 double dynamic_range) {
  const auto count = static_cast<std::size_t>(height * width);
  require(x.size() == count && y.size() == count && usable.size() == count,
          "SSIM: maps of {}, {} and {} values, expected {}x{}", x.size(), y.size(), usable.size(), width,
          height);
  Similarity result{std::numeric_limits<double>::quiet_NaN(), 0};
  if (height < kWindow || width < kWindow) return result;
  const auto over = [&](auto&& value) {
    return WindowMeans(height, width, [&, value](std::size_t p) { return usable[p] ? value(p) : 0.0; });
  };
  const WindowMeans holes(height, width, [&](std::size_t p) { return usable[p] ? 0.0 : 1.0; });
  const WindowMeans mean_x = over([&](std::size_t p) { return x[p]; });
  const WindowMeans mean_y = over([&](std::size_t p) { return y[p]; });
  const WindowMeans mean_xx = over([&](std::size_t p) { return x[p] * x[p]; });
  const WindowMeans mean_yy = over([&](std::size_t p) { return y[p] * y[p]; });
  const WindowMeans mean_xy = over([&](std::size_t p) { return x[p] * y[p]; });
  const double c1 = std::pow(kC1 * dynamic_range, 2), c2 = std::pow(kC2 * dynamic_range, 2);
  double sum = 0;
  for (std::size_t p = 0; p < mean_x.size(); ++p) {
    if (holes[p] > 0) continue;
    const double mx = mean_x[p], my = mean_y[p];
    const double vx = mean_xx[p] - mx * mx, vy = mean_yy[p] - my * my, vxy = mean_xy[p] - mx * my;
    sum += (2 * mx * my + c1) * (2 * vxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2));
    ++result.windows;
  }
  if (result.windows > 0 && dynamic_range > 0) result.value = sum / static_cast<double>(result.windows);
  return result;
}

Similarity gray_similarity(const Image& a, const Image& b) {
  require(a.channels == 3 && b.channels == 3 && a.height == b.height && a.width == b.width,
          "SSIM: pictures of {}x{}x{} and {}x{}x{}", a.width, a.height, a.channels, b.width, b.height,
          b.channels);
  const auto gray = [](const Image& image) {
    std::vector<double> values(image.pixels.size() / 3);
    for (std::size_t p = 0; p < values.size(); ++p)
      values[p] =
          0.299 * image.pixels[3 * p] + 0.587 * image.pixels[3 * p + 1] + 0.114 * image.pixels[3 * p + 2];
    return values;
  };
  const std::vector<char> all(a.pixels.size() / 3, 1);
  return structural_similarity(gray(a), gray(b), all, a.height, a.width, 255);
}

}  // namespace chiaro
