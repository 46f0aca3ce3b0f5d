#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/image/image.hpp"
#include "engine/rng.hpp"
#include "kernels/base/error.hpp"

using namespace chiaro;

namespace {

Image random_image(std::int64_t height, std::int64_t width, int channels) {
  Image image(height, width, channels);
  const Rng rng(static_cast<std::uint64_t>(height * 1000 + width));
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>(rng.below(i, 256));
  }
  return image;
}

// The cubic filters of Mitchell and Netravali, 1988.
double cubic(double x, double b, double c) {
  x = std::abs(x);
  if (x < 1) return ((12 - 9 * b - 6 * c) * x * x * x + (-18 + 12 * b + 6 * c) * x * x + 6 - 2 * b) / 6;
  if (x < 2) {
    return ((-b - 6 * c) * x * x * x + (6 * b + 30 * c) * x * x + (-12 * b - 48 * c) * x + 8 * b + 24 * c) /
           6;
  }
  return 0;
}

// One output value along one axis: weights are normalized, pixels outside repeat the border.
template <class Source>
double filtered(const Source& source, std::int64_t from, std::int64_t to, std::int64_t index) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const bool down = scale > 1;
  const double stretch = down ? scale : 1, center = (static_cast<double>(index) + 0.5) * scale;
  double sum = 0, weights = 0;
  for (auto i = static_cast<std::int64_t>(center - 3 * stretch - 1); i < center + 3 * stretch + 1; ++i) {
    const double x = (static_cast<double>(i) + 0.5 - center) / stretch;
    const double weight = down ? cubic(x, 1.0 / 3, 1.0 / 3) : cubic(x, 0, 0.5);
    sum += weight * source(std::clamp<std::int64_t>(i, 0, from - 1));
    weights += weight;
  }
  return sum / weights;
}

double resized_pixel(const Image& image, std::int64_t height, std::int64_t width, std::int64_t y,
                     std::int64_t x, int c) {
  return filtered(
      [&](std::int64_t row) {
        return filtered([&](std::int64_t column) { return double{image.at(row, column)[c] * 1.0}; },
                        image.width, width, x);
      },
      image.height, height, y);
}

}  // namespace

TEST_CASE("image: resize agrees with the filters computed in double") {
  const Image image = random_image(23, 31, 3);
  for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{8, 11}, {40, 53}, {12, 47}}) {
    const Image resized = resize(image, height, width);
    double worst = 0;
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        for (int c = 0; c < 3; ++c) {
          const double exact = std::clamp(resized_pixel(image, height, width, y, x, c), 0.0, 255.0);
          worst = std::max(worst, std::abs(exact - resized.at(y, x)[c]));
        }
      }
    }
    CAPTURE(height);
    CHECK(worst < 0.6);  // half a level of rounding and the filter's own fp32
  }
}

TEST_CASE("image: resize keeps the pixels of an unchanged size and repeats bit for bit") {
  const Image image = random_image(9, 14, 4);
  CHECK(resize(image, 9, 14) == image);
  CHECK(resize(image, 5, 30) == resize(image, 5, 30));
}

TEST_CASE("image: the color of invisible pixels does not leak when resizing") {
  Image image(16, 16, 4, 0);
  for (std::int64_t y = 0; y < 16; ++y) {
    for (std::int64_t x = 0; x < 16; ++x) {
      image.at(y, x)[x < 7 ? 0 : 1] = 200;  // red and opaque on the left, green and invisible on the right
      image.at(y, x)[3] = x < 7 ? 255 : 0;
    }
  }
  const Image small = resize(image, 4, 4);
  for (std::int64_t x = 0; x < 4; ++x) {
    if (small.at(1, x)[3] > 8) CHECK(small.at(1, x)[1] <= 2);
  }
  CHECK(small.at(1, 0)[0] >= 198);
}

TEST_CASE("image: crop takes the named rectangle and refuses what lies outside") {
  const Image image = random_image(6, 8, 3);
  const Image part = crop(image, 2, 3, 4, 5);
  REQUIRE(part.height == 4);
  REQUIRE(part.width == 5);
  for (std::int64_t y = 0; y < 4; ++y) {
    for (std::int64_t x = 0; x < 5; ++x) {
      for (int c = 0; c < 3; ++c) CHECK(part.at(y, x)[c] == image.at(y + 2, x + 3)[c]);
    }
  }
  CHECK_THROWS_WITH_AS(crop(image, 3, 3, 4, 5),
                       "image: crop of 5 x 4 pixels at column 3, row 3 does not fit into 8 x 6", Error);
  CHECK_THROWS_AS(crop(image, 0, -1, 2, 2), Error);
}

TEST_CASE("image: flatten_alpha shows the picture on white") {
  Image image(1, 3, 4);
  image.pixels = {10, 20, 30, 255, 10, 20, 30, 0, 100, 0, 255, 51};
  CHECK(flatten_alpha(image).pixels == std::vector<std::uint8_t>{10, 20, 30, 255, 255, 255, 224, 204, 255});
}

TEST_CASE("image: apply_orientation agrees with the EXIF definition") {
  Image image(2, 3, 3);  // values 1 2 3 / 4 5 6
  for (std::int64_t p = 0; p < 6; ++p)
    std::fill_n(image.pixels.begin() + p * 3, 3, static_cast<uint8_t>(p + 1));
  const std::vector<std::vector<int>> expected = {{1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1},
                                                  {4, 5, 6, 1, 2, 3}, {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3},
                                                  {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image upright = apply_orientation(image, orientation);
    CAPTURE(orientation);
    CHECK(upright.width == (orientation >= 5 ? 2 : 3));
    CHECK(upright.height == (orientation >= 5 ? 3 : 2));
    for (std::size_t p = 0; p < 6; ++p) {
      CHECK(upright.pixels[p * 3] == expected[static_cast<std::size_t>(orientation - 1)][p]);
    }
  }
  CHECK(apply_orientation(image, 0) == image);
  CHECK(apply_orientation(image, 9) == image);
}

TEST_CASE("image: make_grid places pictures on white with gaps between them") {
  const Image sheet = make_grid({{Image(2, 3, 3, 10), Image(1, 2, 3, 20)}, {Image(1, 1, 4, 0)}}, 2);
  REQUIRE(sheet.height == 5);
  REQUIRE(sheet.width == 7);
  const std::vector<int> expected = {10,  10,  10,  255, 255, 20,  20,   //
                                     10,  10,  10,  255, 255, 255, 255,  //
                                     255, 255, 255, 255, 255, 255, 255,  //
                                     255, 255, 255, 255, 255, 255, 255,  //
                                     255, 255, 255, 255, 255, 255, 255};
  for (std::size_t p = 0; p < expected.size(); ++p) CHECK(sheet.pixels[p * 3] == expected[p]);
  CHECK_THROWS_AS(make_grid({{}, {}}), Error);
}

TEST_CASE("image: impossible sizes are refused") {
  CHECK_THROWS_WITH_AS(Image(0, 5, 3), "image: 5 x 0 pixels with 3 channels are not possible", Error);
  CHECK_THROWS_AS(Image(5, 5, 2), Error);
  CHECK_THROWS_AS(Image(1 << 20, 1 << 20, 3), Error);
}
