#include "apps/inspect/feature_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace chiaro {

namespace {

using Color = std::array<float, 3>;

// matplotlib's "magma" at nine even steps: equal steps in value look like equal steps in lightness.
constexpr std::array<Color, 9> kMagma{{{0, 0, 4},
                                       {28, 16, 68},
                                       {79, 18, 123},
                                       {129, 37, 129},
                                       {181, 54, 122},
                                       {229, 80, 100},
                                       {251, 135, 97},
                                       {254, 194, 135},
                                       {252, 253, 191}}};

constexpr std::int64_t kCaptionHeight = 18, kCaptionScale = 1, kGap = 6;
constexpr std::uint8_t kCaptionGray = 40;

Color shade(float value, MapColors colors) {
  if (colors == MapColors::Gray) return {255 * value, 255 * value, 255 * value};
  const float place = value * (kMagma.size() - 1);
  const auto below = std::min<std::size_t>(static_cast<std::size_t>(place), kMagma.size() - 2);
  const float part = place - static_cast<float>(below);
  Color mixed;
  for (std::size_t c = 0; c < 3; ++c)
    mixed[c] = kMagma[below][c] + part * (kMagma[below + 1][c] - kMagma[below][c]);
  return mixed;
}

std::vector<float> channel_values(const Feature& feature, std::int64_t channel) {
  std::vector<float> values(static_cast<std::size_t>(feature.shape.pixels()));
  for (std::size_t p = 0; p < values.size(); ++p)
    values[p] =
        feature.values[p * static_cast<std::size_t>(feature.shape.c) + static_cast<std::size_t>(channel)];
  return values;
}

Image fit(const Image& image, std::int64_t height, std::int64_t width) {
  if (image.height > height || image.width > width) return resize(image, height, width);
  Image enlarged(height, width, 3);
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      std::copy_n(image.at(y * image.height / height, x * image.width / width), 3, enlarged.at(y, x));
  return enlarged;
}

Image captioned(const Image& image, const std::string& caption) {
  Image sheet(image.height + kCaptionHeight, image.width, 3, 255);
  draw_text(sheet, 5, 1, caption, kCaptionGray, kCaptionScale);
  std::copy(image.pixels.begin(), image.pixels.end(), sheet.at(kCaptionHeight, 0));
  return sheet;
}

Image with_margin(const Image& image) {
  Image sheet(image.height + 2 * kGap, image.width + 2 * kGap, 3, 255);
  for (std::int64_t y = 0; y < image.height; ++y)
    std::copy_n(image.at(y, 0), 3 * image.width, sheet.at(y + kGap, kGap));
  return sheet;
}

}  // namespace

std::vector<std::int64_t> most_active_channels(const Feature& feature, std::int64_t count) {
  const auto channels = static_cast<std::size_t>(feature.shape.c);
  const auto pixels = static_cast<double>(feature.shape.pixels());
  std::vector<double> mean(channels, 0), variance(channels, 0);
  for (std::size_t i = 0; i < feature.values.size(); ++i) mean[i % channels] += feature.values[i] / pixels;
  for (std::size_t i = 0; i < feature.values.size(); ++i)
    variance[i % channels] += std::pow(feature.values[i] - mean[i % channels], 2) / pixels;
  std::vector<std::int64_t> order(channels);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return variance[a] > variance[b]; });
  order.resize(std::min<std::size_t>(channels, static_cast<std::size_t>(count)));
  return order;
}

Image draw_channel(const Feature& feature, std::int64_t channel, MapColors colors) {
  const std::vector<float> values = channel_values(feature, channel);
  std::vector<float> sorted = values;
  const auto peak =
      sorted.begin() + static_cast<std::ptrdiff_t>(0.995 * static_cast<double>(sorted.size() - 1));
  std::nth_element(sorted.begin(), peak, sorted.end());
  const float high = *peak, low = *std::min_element(sorted.begin(), sorted.end());
  Image map(feature.shape.h, feature.shape.w, 3);
  for (std::size_t p = 0; p < values.size(); ++p) {
    const float value = high > low ? std::clamp((values[p] - low) / (high - low), 0.0f, 1.0f) : 0.0f;
    const Color color = shade(value, colors);
    for (std::size_t c = 0; c < 3; ++c)
      map.pixels[3 * p + c] = static_cast<std::uint8_t>(std::lround(color[c]));
  }
  return map;
}

Image draw_features(const Image& picture, const std::vector<Feature>& features,
                    const FeaturePictureOptions& options) {
  const double scale =
      static_cast<double>(options.cell) / static_cast<double>(std::max(picture.height, picture.width));
  const auto side = [&](std::int64_t extent) {
    return std::max<std::int64_t>(1, std::llround(static_cast<double>(extent) * scale));
  };
  const std::int64_t height = side(picture.height), width = side(picture.width);
  std::vector<std::vector<Image>> rows;
  for (const auto& feature : features) {
    auto& row = rows.emplace_back();
    row.push_back(captioned(resize(picture, height, width),
                            fmt::format("{}, {} maps", feature.layer, feature.shape.c)));
    for (const std::int64_t channel : most_active_channels(feature, options.channels))
      row.push_back(captioned(fit(draw_channel(feature, channel, options.colors), height, width),
                              fmt::format("channel {}", channel)));
  }
  return with_margin(make_grid(rows, kGap));
}

}  // namespace chiaro
