#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <set>
#include <utility>

#include "engine/data/depth_transform.hpp"
#include "kernels/base/error.hpp"
#include "tests/support/depth_pictures.hpp"

using namespace chiaro;
using chiaro::test::ramp_depth;
using chiaro::test::ramp_photo;

namespace {

// The windows that can be drawn for the sizes of NYU, before the frame is cut.
constexpr PictureSize kPicture = {240, 320}, kWindow = {228, 304};

}  // namespace

TEST_CASE("depth transform: rotation, scale, mirror and place of a ramp against complex arithmetic") {
  const Image photo = ramp_photo(40, 60);
  const GrayImage depth = ramp_depth(40, 60);
  const PictureSize window = {20, 24}, target = {9, 31};
  for (const bool mirror : {false, true}) {
    const double degrees = mirror ? -3.7 : 4.9, scale = mirror ? 1 : 1.37;
    const DepthTransform t{.center_y = 18.3,
                           .center_x = 31.9,
                           .scale = scale,
                           .rotation = degrees * std::numbers::pi / 180,
                           .mirror = mirror};
    // x + i * up: turning counter-clockwise is a product. The result is turned back, as a whole picture.
    const auto source = [&](double right, double down) {
      const std::complex<double> from_middle(mirror ? -right : right, -down);
      const auto turned = from_middle * std::polar(1 / scale, -degrees * std::numbers::pi / 180);
      return std::pair(31.9 + turned.real(), 18.3 - turned.imag());
    };
    std::vector<float> rgb(20 * 24 * 3), meters(9 * 31);
    resample_photo(photo, t, window, rgb);
    resample_depth(depth, 0.5, t, window, target, meters);
    double worst = 0;
    for (int y = 0; y < 20; ++y) {
      for (int x = 0; x < 24; ++x) {
        const auto [from_x, from_y] = source(x + 0.5 - 12, y + 0.5 - 10);
        const float* pixel = &rgb[static_cast<std::size_t>(y * 24 + x) * 3];
        worst = std::max({worst, std::abs(pixel[0] - 4 * (from_x - 0.5)),
                          std::abs(pixel[1] - 4 * (from_y - 0.5)), std::abs(pixel[2] - 0.0)});
      }
    }
    CHECK(worst < 1e-4);
    for (int y = 0; y < 9; ++y) {
      for (int x = 0; x < 31; ++x) {
        const auto [from_x, from_y] = source((x + 0.5) * 24 / 31 - 12, (y + 0.5) * 20 / 9 - 10);
        const double expected = (100 * std::floor(from_x) + std::floor(from_y) + 1) * 0.5 / scale;
        CHECK(meters[static_cast<std::size_t>(y * 31 + x)] == static_cast<float>(expected));
      }
    }
  }
}

TEST_CASE("depth transform: a quarter turn goes counter-clockwise, mirroring exchanges left and right") {
  const GrayImage depth{.height = 3, .width = 3, .bits = 8, .values = {1, 2, 3, 4, 5, 6, 7, 8, 9}};
  DepthTransform t = middle_window({3, 3}, {3, 3});
  std::vector<float> meters(9);
  const auto sampled = [&] {
    resample_depth(depth, 1, t, {3, 3}, {3, 3}, meters);
    return meters;
  };
  CHECK(sampled() == std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9});
  t.mirror = true;
  CHECK(sampled() == std::vector<float>{3, 2, 1, 6, 5, 4, 9, 8, 7});
  t.mirror = false;
  t.rotation = std::numbers::pi / 2;
  CHECK(sampled() == std::vector<float>{3, 6, 9, 2, 5, 8, 1, 4, 7});
  t.mirror = true;  // of what was turned
  CHECK(sampled() == std::vector<float>{9, 6, 3, 8, 5, 2, 7, 4, 1});
}

TEST_CASE("depth transform: unknown depth stays unknown and is mixed with nothing; outside is unknown") {
  GrayImage depth{.height = 8, .width = 8, .bits = 16, .values = std::vector<std::uint16_t>(64, 3000)};
  for (std::size_t i = 0; i < 64; i += 3) depth.values[i] = 0;
  DepthTransform t = middle_window({8, 8}, {8, 8});
  t.rotation = 0.3;
  t.scale = 1.2;
  std::vector<float> meters(32 * 32);
  resample_depth(depth, 0.001, t, {8, 8}, {32, 32}, meters);
  CHECK(std::set<float>(meters.begin(), meters.end()) == std::set<float>{0, 2.5f});
  t.scale = 1;
  std::ranges::fill(depth.values, std::uint16_t{3000});
  resample_depth(depth, 0.001, t, {8, 8}, {32, 32}, meters);
  CHECK(meters.front() == 0);
  CHECK(meters[16 * 32 + 16] == 3);

  Image photo(8, 8, 3, 40);
  std::vector<float> rgb(8 * 8 * 3);
  resample_photo(photo, t, {8, 8}, rgb);
  CHECK(rgb == std::vector<float>(192, 40));
}

TEST_CASE("depth transform: gains per channel, clamped to 0..255") {
  DepthTransform t = middle_window({2, 2}, {2, 2});
  t.gain = {1.2f, 0.5f, 0};
  std::vector<float> rgb(12);
  resample_photo(Image(2, 2, 3, 250), t, {2, 2}, rgb);
  for (std::size_t i = 0; i < 12; i += 3) {
    CHECK(rgb[i] == 255);
    CHECK(rgb[i + 1] == 125);
    CHECK(rgb[i + 2] == 0);
  }
}

TEST_CASE("depth transform: draws fill their ranges and stay inside the picture") {
  const DepthAugmentation augmentation{.overall_gain = 0.1};
  double least_scale = 2, most_scale = 0, least_turn = 9, most_turn = -9, least_gain = 9, most_gain = 0;
  int mirrored = 0, inside = 0, checked = 0, in_middle = 0;
  std::set<double> places;
  for (std::int64_t i = 0; i < 2000; ++i) {
    const DepthTransform t = random_window(augmentation, 3, i % 4, i / 4, kPicture, kWindow);
    const double c = std::cos(t.rotation), s = std::abs(std::sin(t.rotation));
    const double half_h = (228 * c + 304 * s) / 2 / t.scale, half_w = (304 * c + 228 * s) / 2 / t.scale;
    if (half_h <= 120 && half_w <= 160) {
      ++checked;
      inside += t.center_y - half_h > -1e-9 && t.center_y + half_h < 240 + 1e-9 &&
                t.center_x - half_w > -1e-9 && t.center_x + half_w < 320 + 1e-9;
    } else {
      in_middle += (half_h <= 120 || t.center_y == 120) && (half_w <= 160 || t.center_x == 160);
    }
    least_scale = std::min(least_scale, t.scale), most_scale = std::max(most_scale, t.scale);
    least_turn = std::min(least_turn, t.rotation), most_turn = std::max(most_turn, t.rotation);
    for (const float gain : t.gain) {
      least_gain = std::min<double>(least_gain, gain), most_gain = std::max<double>(most_gain, gain);
    }
    mirrored += t.mirror;
    places.insert(t.center_x);
  }
  CHECK(checked > 1800);
  CHECK(checked < 2000);
  CHECK(inside == checked);
  CHECK(in_middle == 2000 - checked);
  CHECK(least_scale >= 1);
  CHECK(least_scale < 1.01);
  CHECK(most_scale > 1.49);
  CHECK(most_scale < 1.5);
  const double limit = 5 * std::numbers::pi / 180;
  CHECK(least_turn >= -limit);
  CHECK(most_turn < limit);
  CHECK(most_turn - least_turn > 1.98 * limit);
  CHECK(least_gain >= doctest::Approx(0.8 * 0.9));
  CHECK(most_gain <= doctest::Approx(1.2 * 1.1));
  CHECK(most_gain - least_gain > 0.5);
  CHECK(std::abs(mirrored - 1000) < 100);
  CHECK(places.size() > 1500);
  CHECK_THROWS_AS(check_augmentation({.max_scale = 0.9}), Error);
  CHECK_THROWS_AS(check_augmentation({.channel_gain = 1.5}), Error);
}
