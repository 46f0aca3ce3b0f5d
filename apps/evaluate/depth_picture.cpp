#include "apps/evaluate/depth_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

constexpr std::int64_t kBarHeight = 8, kTickLength = 3, kLetterWidth = 7, kLineHeight = 11;
constexpr std::uint8_t kInk = 40;

template <class Color>
Image draw(const DepthMap& map, Color&& color) {
  Image image(map.height, map.width, 3);
  for (std::size_t p = 0; p < map.meters.size(); ++p) {
    const Rgb rgb = color(p);
    std::copy(rgb.begin(), rgb.end(), image.pixels.begin() + static_cast<std::ptrdiff_t>(3 * p));
  }
  return image;
}

double place_in(DepthRange range, double value) {
  return (value - range.low) / (static_cast<double>(range.high) - range.low);
}

}  // namespace

Image draw_depth(const DepthMap& map, DepthRange range) {
  return draw(map, [&](std::size_t p) {
    const float depth = map.meters[p];
    return is_depth(depth) ? color_of(ColorMap::Depth, place_in(range, depth)) : kNoValueColor;
  });
}

Image draw_difference(const DepthMap& reference, const DepthMap& other, float largest) {
  require(reference.meters.size() == other.meters.size(), "depth maps of different sizes have no difference");
  return draw(other, [&](std::size_t p) {
    const float x = reference.meters[p], y = other.meters[p];
    if (!is_depth(x) || !is_depth(y)) return kNoValueColor;
    return color_of(ColorMap::Difference, place_in({-largest, largest}, y - x));
  });
}

DepthRange range_of(const DepthMap& map, double cut) {
  const std::vector<float> depths = depths_of(map);
  if (depths.empty()) return {0, 1};
  const auto low = static_cast<float>(quantile(depths, cut));
  const auto high = static_cast<float>(quantile(depths, 1 - cut));
  return {low, std::max(high, low * 1.001f)};
}

std::vector<double> round_ticks(DepthRange range, int most) {
  const double span = static_cast<double>(range.high) - range.low;
  const double slack = 1e-3 * span;  // the ends are floats
  std::vector<double> ticks;
  for (double decade = std::pow(10, std::ceil(std::log10(span)));; decade /= 10)
    for (const double step : {decade, decade / 2, decade / 5}) {
      std::vector<double> finer;
      for (double k = std::ceil((range.low - slack) / step); k * step <= range.high + slack; ++k)
        finer.push_back(k * step + 0.0);  // no -0
      if (ticks.size() >= 2 && finer.size() > static_cast<std::size_t>(most)) return ticks;
      ticks = std::move(finer);
    }
}

std::int64_t text_width(const std::string& text, std::int64_t scale) {
  return static_cast<std::int64_t>(text.size()) * kLetterWidth * scale;
}

std::int64_t scale_bar_height(std::int64_t scale) {
  return scale * (kBarHeight + kTickLength + kLineHeight);
}

void draw_scale_bar(Image& image, std::int64_t top, std::int64_t left, std::int64_t width, ColorMap map,
                    DepthRange range, std::int64_t scale) {
  const std::int64_t right = left + width - 1, bar = top + scale * kBarHeight;
  for (std::int64_t x = left; x <= right; ++x) {
    const Rgb color = color_of(
        map, static_cast<double>(x - left) / static_cast<double>(std::max<std::int64_t>(width - 1, 1)));
    for (std::int64_t y = top; y < bar; ++y) std::copy(color.begin(), color.end(), image.at(y, x));
  }
  const int most = static_cast<int>(std::clamp<std::int64_t>(width / (scale * 6 * kLetterWidth), 2, 7));
  for (const double tick : round_ticks(range, most)) {
    const std::int64_t x =
        left + std::clamp<std::int64_t>(std::llround(place_in(range, tick) * static_cast<double>(width - 1)),
                                        0, width - 1);
    for (std::int64_t y = bar; y < bar + scale * kTickLength; ++y)
      for (std::int64_t dx = 0; dx < scale && x + dx <= right; ++dx)
        std::fill_n(image.at(y, x + dx), 3, kInk);
    const std::string label = fmt::format("{:.4g} m", tick);
    const std::int64_t letters = text_width(label, scale);
    draw_text(image, bar + scale * (kTickLength + 1),
              std::clamp(x - letters / 2, left, std::max(left, right - letters)), label, kInk, scale);
  }
}

}  // namespace chiaro
