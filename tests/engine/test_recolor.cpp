#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/data/batch_builder.hpp"
#include "engine/data/recolor.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/picture_folder.hpp"

using namespace chiaro;
using Pixels = std::vector<std::uint8_t>;

namespace {

Pixels all_kinds() {
  Pixels pixels;
  for (int r = 0; r < 256; r += 15)
    for (int g = 0; g < 256; g += 17)
      for (int b = 0; b < 256; b += 51)
        pixels.insert(pixels.end(), {std::uint8_t(r), std::uint8_t(g), std::uint8_t(b)});
  return pixels;
}

}  // namespace

TEST_CASE("recolor: without strength nothing changes, with it every sample does, its own way") {
  Pixels same = all_kinds();
  recolor(random_colors(1, 5, 0), same);
  CHECK(same == all_kinds());

  Pixels one = all_kinds(), again = all_kinds(), other = all_kinds(), seed = all_kinds();
  recolor(random_colors(1, 5, 1), one);
  recolor(random_colors(1, 5, 1), again);
  recolor(random_colors(1, 6, 1), other);
  recolor(random_colors(2, 5, 1), seed);
  CHECK(one == again);
  CHECK(one != all_kinds());
  CHECK(one != other);
  CHECK(one != seed);
}

TEST_CASE("recolor: gray in the middle moves by the offset alone; the result is the rounded affine map") {
  ColorChange change{{{{1, 0.5f, 0}, {-0.25f, 1, 0.25f}, {0, 0, 2}}}, {}};
  for (std::size_t i = 0; i < 3; ++i) {
    change.offset[i] = 128 + 3 * float(i);
    for (const float entry : change.matrix[i]) change.offset[i] -= 128 * entry;
  }
  Pixels gray{128, 128, 128};
  recolor(change, gray);
  CHECK(gray == Pixels{128, 131, 134});
  Pixels colors{130, 131, 100, 255, 255, 0};
  recolor(change, colors);
  // 128 + 2 + 0.5 * 3 = 131.5; 128 - 0.5 + 3 - 7 + 3 = 126.5; 128 - 56 + 6 = 78; then clamped on both sides
  CHECK(colors == Pixels{132, 127, 78, 255, 194, 0});
}

TEST_CASE("recolor: changes are drawn up to the strength, on both sides") {
  double least = 0, most = 0, offset = 0;
  for (std::uint64_t sample = 0; sample < 2000; ++sample) {
    const ColorChange change = random_colors(3, sample, 0.5);
    for (std::size_t i = 0; i < 3; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < 3; ++j) {
        const double entry = change.matrix[i][j] - (i == j ? 1 : 0);
        least = std::min(least, entry), most = std::max(most, entry);
        sum += change.matrix[i][j];
      }
      offset = std::max(offset, std::abs(change.offset[i] - 128 * (1 - sum)));
    }
  }
  CHECK(least >= -0.5);
  CHECK(least < -0.45);
  CHECK(most <= 0.5);
  CHECK(most > 0.45);
  CHECK(offset <= 64.001);
  CHECK(offset > 55);
  CHECK(test::error_of([] { random_colors(1, 1, 1.5); }) == "recolor: strength 1.5 must lie in 0 to 1");
}

TEST_CASE("loader: recolored batches are the plain ones, each sample with its own colors") {
  const test::PictureFolder folder;
  for (int i = 0; i < 3; ++i) {
    Image photo(16, 16, 3);
    for (std::size_t at = 0; at < photo.pixels.size(); ++at) photo.pixels[at] = std::uint8_t(at * 7 + 40 * i);
    encode_image(folder / (std::to_string(i) + ".png"), photo);
  }
  const std::shared_ptr<const PhotoSource> source = open_photo_source({folder.path()});
  BatchOptions options{.image_size = 16, .batch_size = 2, .seed = 9};
  BatchBuilder plain(source, options);
  options.recolor = 0.75;
  BatchBuilder colored(source, options);
  Batch expected, found;
  for (std::int64_t index = 0; index < 4; ++index) {
    plain.build(index, expected);
    colored.build(index, found);
    CHECK(expected.pixels != found.pixels);
    for (std::uint64_t j = 0; j < 2; ++j)
      recolor(random_colors(9, 2 * static_cast<std::uint64_t>(index) + j, 0.75),
              std::span(expected.pixels).subspan(j * 16 * 16 * 3, 16 * 16 * 3));
    CHECK(expected.pixels == found.pixels);
  }
}
