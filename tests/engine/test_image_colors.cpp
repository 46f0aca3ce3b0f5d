// Colors of picture files become sRGB.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/picture_bytes.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

// iCCP of a PNG: a name, the method, the profile as a zlib stream.
std::string iccp(const std::string& profile) {
  return std::string("p\0\0", 3) + stored(profile);
}

// What a color of Adobe RGB is in sRGB, in double (IEC 61966-2-1; matrices of both under D65).
std::vector<double> adobe_to_srgb(const std::vector<int>& color) {
  constexpr double kToXyz[3][3] = {
      {0.57667, 0.18556, 0.18823}, {0.29734, 0.62736, 0.07529}, {0.02703, 0.07069, 0.99134}};
  constexpr double kToRgb[3][3] = {
      {3.24045, -1.53714, -0.49853}, {-0.96927, 1.87601, 0.04156}, {0.05564, -0.20403, 1.05723}};
  double xyz[3] = {};
  for (int i = 0; i < 3; ++i)
    for (int c = 0; c < 3; ++c)
      xyz[i] += kToXyz[i][c] * std::pow(color[static_cast<std::size_t>(c)] / 255.0, 2.19921875);
  std::vector<double> result;
  for (const auto& row : kToRgb) {
    const double linear = std::clamp(row[0] * xyz[0] + row[1] * xyz[1] + row[2] * xyz[2], 0.0, 1.0);
    result.push_back(255 *
                     (linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1 / 2.4) - 0.055));
  }
  return result;
}

void check_as_adobe(const Image& read, const Image& stored_pixels, double tolerance) {
  REQUIRE(read.pixels.size() == stored_pixels.pixels.size());
  for (std::int64_t y = 0; y < read.height; ++y) {
    for (std::int64_t x = 0; x < read.width; ++x) {
      const std::uint8_t* from = stored_pixels.at(y, x);
      const auto expected = adobe_to_srgb({from[0], from[1], from[2]});
      for (int c = 0; c < 3; ++c)
        CHECK(std::abs(read.at(y, x)[c] - expected[static_cast<std::size_t>(c)]) <= tolerance);
    }
  }
}

}  // namespace

TEST_CASE("image colors: the profile of a PNG or JPEG is applied") {
  const Image image = smooth_image(6, 7);
  // Saved without the mark of sRGB that encode_image() writes.
  const std::string png = encoded(image, ".png"), plain = png.substr(0, 33) + png.substr(33 + 13);
  CHECK(decode_bytes(plain) == image);
  check_as_adobe(decode_bytes(with_chunk(plain, "iCCP", iccp(adobe_profile()))), image, 2);

  const std::string jpeg = encoded(image, ".jpg");
  const std::string segment = std::string("ICC_PROFILE\0\x01\x01", 14) + adobe_profile();
  check_as_adobe(decode_bytes(with_segment(jpeg, 0xE2, segment)), decode_bytes(jpeg), 2);
}

TEST_CASE("image colors: alpha stays as it is") {
  Image image = smooth_image(2, 3, 4);
  image.at(1, 1)[3] = 77;
  const std::string png = encoded(image, ".png"), plain = png.substr(0, 33) + png.substr(33 + 13);
  const Image read = decode_bytes(with_chunk(plain, "iCCP", iccp(adobe_profile())));
  REQUIRE(read.channels == 4);
  CHECK(read.at(1, 1)[3] == 77);
  CHECK(read.at(0, 0)[3] == 255);
  CHECK(read.at(0, 2)[0] != image.at(0, 2)[0]);
}

TEST_CASE("image colors: gamma and primaries of a PNG are applied, those of sRGB change nothing") {
  const std::string plain = png_start(2, 1, 8, 2) + png_row(text({200, 100, 50, 10, 128, 250}));
  const auto chromaticities = [](std::initializer_list<std::uint32_t> values) {
    std::string data;
    for (const std::uint32_t value : values) data += big_endian(value);
    return data;
  };
  const Image stored_pixels = decode_bytes(plain);
  const std::string adobe = with_chunk(
      with_chunk(plain, "cHRM", chromaticities({31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000})),
      "gAMA", big_endian(45470));
  CHECK(largest_difference(decode_bytes(adobe), stored_pixels) > 10);
  const std::string srgb = with_chunk(
      with_chunk(plain, "cHRM", chromaticities({31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000})),
      "gAMA", big_endian(45455));
  CHECK(decode_bytes(srgb) == stored_pixels);
  const Image linear = decode_bytes(with_chunk(plain, "gAMA", big_endian(100000)));
  for (std::size_t i = 0; i < 6; ++i) {
    const double value = stored_pixels.pixels[i] / 255.0;
    const double expected =
        255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * std::pow(value, 1 / 2.4) - 0.055);
    CHECK(std::abs(linear.pixels[i] - expected) <= 2);
  }
}

TEST_CASE("image colors: a profile that cannot be used is noted and ignored") {
  const Image image = smooth_image(8, 8);
  const std::string jpeg = encoded(image, ".jpg");
  const std::string damaged =
      with_segment(jpeg, 0xE2, std::string("ICC_PROFILE\0\x01\x01", 14) + std::string(300, 'x'));
  CHECK(decode_bytes(damaged) == decode_bytes(jpeg));
  CHECK(notes_of(damaged) == "p: its color profile cannot be used and is ignored\n");
}

TEST_CASE("image colors: results say that they are sRGB") {
  const std::string png = encoded(smooth_image(4, 4), ".png");
  CHECK(png.find("sRGB") != std::string::npos);
  CHECK(encoded(smooth_image(4, 4), ".jpg").find("ICC_PROFILE") == std::string::npos);
}

TEST_CASE("image colors: a JPEG can be decoded at a fraction of its size") {
  const std::string jpeg = encoded(smooth_image(160, 240), ".jpg");
  const Image small = decode_bytes(jpeg, {.short_side = 40});
  CHECK(small.height == 40);
  CHECK(small.width == 60);
  CHECK(largest_difference(small, resize(decode_bytes(jpeg), 40, 60)) <= 4);
  CHECK(decode_bytes(jpeg, {.short_side = 41}).height == 60);  // the next eighth
  CHECK(decode_bytes(jpeg, {.short_side = 500}) == decode_bytes(jpeg));
}
