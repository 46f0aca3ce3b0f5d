// What evaluate_engine measures and draws: depth measures against NumPy and SciPy
// (make_depth_metrics_reference.py), perceptual distances against the plain formulas, resizing, colors and
// scales.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "apps/evaluate/color_map.hpp"
#include "apps/evaluate/depth_metrics.hpp"
#include "apps/evaluate/depth_picture.hpp"
#include "apps/evaluate/perceptual_distance.hpp"
#include "apps/evaluate/structural_similarity.hpp"
#include "engine/transfer.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/hash_weights.hpp"
#include "weights_import/random_vgg.hpp"

using namespace chiaro;

namespace {

constexpr std::int64_t kHeight = 24, kWidth = 30;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(),
                kInfinity = std::numeric_limits<float>::infinity();

// The generator of make_depth_metrics_reference.py.
std::vector<double> integers(std::uint32_t seed) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < kHeight * kWidth; ++i) {
    seed = (seed * 1103515245u + 12345u) & 0x7fffffffu;
    values.push_back(seed >> 21);
  }
  return values;
}

struct Pair {
  DepthMap first{kHeight, kWidth, {}}, second{kHeight, kWidth, {}};
};

Pair maps(bool ties) {
  const auto noise = integers(1), factor = integers(2);
  Pair pair;
  for (std::int64_t y = 0; y < kHeight; ++y)
    for (std::int64_t x = 0; x < kWidth; ++x) {
      const auto p = static_cast<std::size_t>(y * kWidth + x);
      double a = 1 + double(x) / 8 + double(y) / 16 + noise[p] / 1024;
      double b = a * (0.5 + factor[p] / 1536);
      if (ties) a = std::nearbyint(a * 4) / 4, b = std::nearbyint(b * 4) / 4;
      pair.first.meters.push_back(static_cast<float>(a));
      pair.second.meters.push_back(static_cast<float>(b));
    }
  return pair;
}

void check(const DepthMetrics& found, const std::array<double, 9>& expected) {
  const std::array<double, 9> values{double(found.valid_pixels),
                                     found.abs_rel,
                                     found.rmse,
                                     found.log10,
                                     found.delta[0],
                                     found.delta[1],
                                     found.delta[2],
                                     found.ssim,
                                     found.spearman};
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    CHECK(values[i] == doctest::Approx(expected[i]).epsilon(1e-10));
  }
}

DepthMap constant(float meters) {
  return {kHeight, kWidth, std::vector<float>(kHeight * kWidth, meters)};
}

Image hash_image(const std::string& name, std::int64_t height, std::int64_t width) {
  const auto values = test::hash_picture(name, 1, height, width);
  Image image(height, width, 3);
  std::transform(values.begin(), values.end(), image.pixels.begin(),
                 [](float v) { return static_cast<std::uint8_t>(v); });
  return image;
}

double distance(const Rgb& a, const Rgb& b) {
  const auto lab = [](const Rgb& rgb) {
    return srgb_to_lab({rgb[0] / 255.0, rgb[1] / 255.0, rgb[2] / 255.0});
  };
  const Lab x = lab(a), y = lab(b);
  return std::hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2]);
}

double lightness(const Rgb& rgb) {
  return srgb_to_lab({rgb[0] / 255.0, rgb[1] / 255.0, rgb[2] / 255.0})[0];
}

}  // namespace

TEST_CASE("depth metrics: the numbers of NumPy and SciPy") {
  const Pair plain = maps(false), ties = maps(true);
  check(compare_depth(plain.first, plain.second),
        {720, 0.205114293627664, 1.045466885259, 0.106762286389473, 0.556944444444444, 0.805555555555556,
         0.976388888888889, 0.27873786114644, 0.792287144321106});
  check(compare_depth(ties.first, ties.second),
        {720, 0.20489601333726, 1.05302144644194, 0.107023212765999, 0.548611111111111, 0.795833333333333,
         0.961111111111111, 0.284081781268757, 0.791596543681922});
  check(compare_depth(ties.first, ties.second, {.median_scaling = true}),
        {720, 0.210775724126714, 1.01273632399205, 0.0916103334474214, 0.566666666666667, 0.961111111111111,
         1, 0.246591432505931, 0.791596543681922});
}

TEST_CASE("depth metrics: pixels without depth are left out and counted") {
  // The same six pixels, wherever they miss and whether the mask or a value says so.
  const std::array<double, 9> expected{714,
                                       0.204882994442645,
                                       1.0440743751571,
                                       0.106641263403404,
                                       0.558823529411765,
                                       0.80672268907563,
                                       0.976190476190476,
                                       0.285991763097897,
                                       0.793316958259737};
  const std::array<std::size_t, 6> holes{2 * 30 + 20, 2 * 30 + 21, 3 * 30 + 20,
                                         3 * 30 + 21, 23 * 30,     12 * 30 + 29};
  Pair values = maps(false);
  const std::array bad{0.0f, -3.0f, kNaN, kInfinity};
  for (std::size_t i = 0; i < holes.size(); ++i)
    (i % 2 ? values.first : values.second).meters[holes[i]] = bad[i % bad.size()];
  const DepthMetrics by_value = compare_depth(values.first, values.second);
  check(by_value, expected);
  CHECK(by_value.pixels == 720);

  const Pair whole = maps(false);
  std::vector<std::uint8_t> mask(720, 1);
  for (const std::size_t p : holes) mask[p] = 0;
  const DepthMetrics by_mask = compare_depth(whole.first, whole.second, {.mask = mask});
  check(by_mask, expected);
  CHECK(by_mask.pixels == 714);
}

TEST_CASE("depth metrics: equal maps, and what is not defined") {
  const Pair pair = maps(true);
  check(compare_depth(pair.first, pair.first), {720, 0, 0, 0, 1, 1, 1, 1, 1});

  DepthMap twice = pair.first;
  for (float& depth : twice.meters) depth *= 2;
  const DepthMetrics scaled = compare_depth(pair.first, twice, {.median_scaling = true});
  check(scaled, {720, 0, 0, 0, 1, 1, 1, 1, 1});
  CHECK(scaled.scale == 0.5);

  const DepthMetrics none = compare_depth(pair.first, constant(0));
  CHECK(none.valid_pixels == 0);
  for (const double value : {none.abs_rel, none.rmse, none.log10, none.delta[2], none.ssim, none.spearman})
    CHECK(std::isnan(value));

  const DepthMetrics flat = compare_depth(constant(2), constant(2));
  CHECK(flat.abs_rel == 0);
  CHECK(std::isnan(flat.ssim));
  CHECK(std::isnan(flat.spearman));
  CHECK(test::error_of([&] {
          compare_depth(pair.first, {2, 2, {1, 2, 3, 4}});
        }) == "depth maps of 30x24 and 2x2 values cannot be compared");
  const std::vector<std::uint8_t> mask(3);
  CHECK(test::error_of([&] { compare_depth(pair.first, pair.first, {.mask = mask}); }) ==
        "the mask has 3 values, the depth maps have 720");
}

TEST_CASE("depth metrics: a ratio of exactly 1.25 is not within it") {
  const DepthMap one = constant(1), more = constant(1.25f), less = constant(0.75f);
  CHECK(compare_depth(one, more).delta == std::array<double, 3>{0, 1, 1});
  CHECK(compare_depth(more, one).delta == std::array<double, 3>{0, 1, 1});
  CHECK(compare_depth(one, less).delta == std::array<double, 3>{0, 1, 1});
}

TEST_CASE("mean_ranks: ties share the mean of their ranks") {
  CHECK(mean_ranks(std::array{5.0, 1.0, 5.0, 3.0, 5.0}) == std::vector<double>{4, 1, 4, 2, 4});
  CHECK(mean_ranks({}).empty());
}

TEST_CASE("gray SSIM: equal pictures, and a picture against its negative") {
  const Image picture = hash_image("a", 30, 20);
  CHECK(gray_similarity(picture, picture).value == doctest::Approx(1).epsilon(1e-12));
  CHECK(gray_similarity(picture, picture).windows == 20 * 10);
  Image negative = picture;
  for (auto& byte : negative.pixels) byte = static_cast<std::uint8_t>(255 - byte);
  CHECK(gray_similarity(picture, negative).value < 0);
  CHECK(std::isnan(gray_similarity(hash_image("a", 10, 40), hash_image("b", 10, 40)).value));
}

TEST_CASE("resize_bilinear: pixel centers and borders") {
  const DepthMap map{1, 2, {1, 5}};
  CHECK(resize_bilinear(map, 1, 4).meters == std::vector<float>{1, 2, 4, 5});
  CHECK(resize_bilinear(map, 2, 2).meters == std::vector<float>{1, 5, 1, 5});
  CHECK(resize_bilinear({2, 2, {0, 4, 8, 12}}, 1, 1).meters == std::vector<float>{6});
  CHECK(resize_bilinear(map, 1, 2).meters == map.meters);
}

TEST_CASE("quantile: interpolated, as NumPy does by default") {
  CHECK(quantile({4, 1, 3, 2}, 0.5) == 2.5);
  CHECK(quantile({4, 1, 3, 2}, 0) == 1);
  CHECK(quantile({4, 1, 3, 2}, 1) == 4);
  CHECK(quantile({10, 20, 30}, 0.25) == 15);
  CHECK(std::isnan(quantile({}, 0.5)));
}

TEST_CASE("CIELAB: known colors, and there and back") {
  const Lab red = srgb_to_lab({1, 0, 0});  // 53.24, 80.09, 67.20 by the published formulas
  CHECK(red[0] == doctest::Approx(53.24).epsilon(1e-3));
  CHECK(red[1] == doctest::Approx(80.09).epsilon(1e-3));
  CHECK(red[2] == doctest::Approx(67.20).epsilon(1e-3));
  for (const auto& rgb : {std::array{0.0, 0.0, 0.0}, std::array{0.01, 0.3, 0.9}, std::array{1.0, 1.0, 1.0}}) {
    const auto back = lab_to_srgb(srgb_to_lab(rgb));
    for (std::size_t c = 0; c < 3; ++c) CHECK(std::abs(back[c] - rgb[c]) < 1e-4);
  }
}

TEST_CASE("color maps: equal steps look equal") {
  constexpr int kParts = 8;  // large enough for rounding to bytes to matter little
  const auto depth = [](int i) { return color_of(ColorMap::Depth, double(i) / kParts); };
  double mean = 0;
  for (int i = 0; i < kParts; ++i) mean += distance(depth(i), depth(i + 1)) / kParts;
  for (int i = 0; i < kParts; ++i) {
    CAPTURE(i);
    CHECK(distance(depth(i), depth(i + 1)) == doctest::Approx(mean).epsilon(0.05));
  }
  for (int i = 0; i < 256; ++i)  // bytes: a step may vanish in rounding
    CHECK(lightness(color_of(ColorMap::Depth, (i + 1) / 256.0)) <
          lightness(color_of(ColorMap::Depth, i / 256.0)) + 0.05);
  CHECK(lightness(depth(0)) - lightness(depth(kParts)) > 70);

  const Rgb middle = color_of(ColorMap::Difference, 0.5);
  CHECK(lightness(middle) > 94);
  for (const double side : {0.1, 0.25, 0.5}) {
    const Rgb nearer = color_of(ColorMap::Difference, 0.5 - side),
              farther = color_of(ColorMap::Difference, 0.5 + side);
    CHECK(distance(nearer, middle) == doctest::Approx(distance(farther, middle)).epsilon(0.06));
    CHECK(nearer[2] > nearer[0]);
    CHECK(farther[0] > farther[2]);
  }
  CHECK(color_of(ColorMap::Depth, -1) == depth(0));
  CHECK(color_of(ColorMap::Depth, 9) == depth(kParts));
}

TEST_CASE("depth pictures: near, far and nothing") {
  const DepthMap map{1, 4, {1, 3, 0, 9}};
  const Image picture = draw_depth(map, {1, 3});
  const auto at = [](const Image& image, std::int64_t x) {
    return Rgb{image.at(0, x)[0], image.at(0, x)[1], image.at(0, x)[2]};
  };
  CHECK(at(picture, 0) == color_of(ColorMap::Depth, 0));
  CHECK(at(picture, 1) == color_of(ColorMap::Depth, 1));
  CHECK(at(picture, 2) == kNoValueColor);
  CHECK(at(picture, 3) == color_of(ColorMap::Depth, 1));
  const Image difference = draw_difference(map, {1, 4, {1, 1, 1, 10}}, 2);
  CHECK(at(difference, 0) == color_of(ColorMap::Difference, 0.5));
  CHECK(at(difference, 1) == color_of(ColorMap::Difference, 0));
  CHECK(at(difference, 2) == kNoValueColor);
  CHECK(at(difference, 3) == color_of(ColorMap::Difference, 0.75));
  CHECK(range_of(map, 0).low == 1);
  CHECK(range_of(map, 0).high == 9);
  CHECK(range_of(constant(0), 0).high == 1);
  CHECK(range_of(constant(2), 0).high > 2);
}

TEST_CASE("round_ticks: round numbers inside the range") {
  const auto ticks = [](float low, float high, int most) {
    std::string text;
    for (const double tick : round_ticks({low, high}, most)) text += fmt::format("{:.4g} ", tick);
    return text;
  };
  CHECK(ticks(0, 10, 6) == "0 2 4 6 8 10 ");
  CHECK(ticks(0.7f, 3.9f, 4) == "1 2 3 ");
  CHECK(ticks(-0.5f, 0.5f, 5) == "-0.4 -0.2 0 0.2 0.4 ");
  CHECK(ticks(2.31f, 2.34f, 4) == "2.31 2.32 2.33 2.34 ");
  CHECK(ticks(90, 130, 3) == "100 120 ");
}

TEST_CASE("perceptual distance: photo, style and the formulas") {
  Context context(1);
  const WeightsFile vgg = random_vgg(19, 4, 3);
  const std::vector<std::string> layers{"relu1_1", "relu3_1"};
  const Image photo = hash_image("photo", 40, 56), style = hash_image("style", 40, 56),
              other = hash_image("other", 40, 56);
  PerceptualJudge judge(context, vgg, "vgg", style, layers, "relu4_2", DType::F32);
  judge.set_photo(photo);

  const PerceptualDistance of_photo = judge.distance(photo), of_style = judge.distance(style);
  CHECK(of_photo.style == 1);
  CHECK(of_photo.layers == std::vector<double>{1, 1});
  CHECK(of_photo.content == 0);
  CHECK(of_style.style == 0);
  CHECK(of_style.content == 1);

  FeatureExtractor network(context, vgg, "vgg", {"relu1_1", "relu3_1", "relu4_2"}, DType::F32);
  const auto gram = [&](const Image& picture, const std::string& layer) {
    const ConstTensorView features = network.features(picture).at(layer);
    const auto values = read_tensor(context, features);
    const auto channels = static_cast<std::size_t>(features.shape.c);
    std::vector<double> g(channels * channels);
    for (std::size_t p = 0; p < values.size(); p += channels)
      for (std::size_t i = 0; i < channels; ++i)
        for (std::size_t j = 0; j < channels; ++j)
          g[i * channels + j] += double(values[p + i]) * values[p + j] / double(values.size());
    return g;
  };
  const auto mean_square = [](const auto& a, const auto& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      sum += std::pow(double(a[i]) - double(b[i]), 2) / double(a.size());
    return sum;
  };
  const PerceptualDistance found = judge.distance(other);
  double style_sum = 0, photo_sum = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const double expected = mean_square(gram(other, layers[i]), gram(style, layers[i]));
    const double of_input = mean_square(gram(photo, layers[i]), gram(style, layers[i]));
    CHECK(found.layers_raw[i] == doctest::Approx(expected).epsilon(1e-4));
    CHECK(found.layers[i] == doctest::Approx(expected / of_input).epsilon(1e-4));
    style_sum += expected, photo_sum += of_input;
  }
  CHECK(found.style_raw == doctest::Approx(style_sum).epsilon(1e-4));
  CHECK(found.style == doctest::Approx(style_sum / photo_sum).epsilon(1e-4));
  const auto content = [&](const Image& picture) {
    return read_tensor(context, network.features(picture).at("relu4_2"));
  };
  const double of_other = mean_square(content(other), content(photo));
  CHECK(found.content_raw == doctest::Approx(of_other).epsilon(1e-6));
  CHECK(found.content ==
        doctest::Approx(of_other / mean_square(content(style), content(photo))).epsilon(1e-6));
}

TEST_CASE("cover: scaled to the smaller excess, the middle cut out") {
  Image wide(10, 40, 3);
  for (std::int64_t y = 0; y < 10; ++y)
    for (std::int64_t x = 0; x < 40; ++x) wide.at(y, x)[0] = static_cast<std::uint8_t>(x);
  const Image middle = cover(wide, 10, 20);
  CHECK(middle.height == 10);
  CHECK(middle.width == 20);
  CHECK(middle.at(0, 0)[0] == 10);
  CHECK(middle.at(9, 19)[0] == 29);
  CHECK(cover(wide, 40, 10).width == 10);
}
