// Small pictures for tests of depth data: ramps whose values say where a pixel was, and gray PNG files.
#pragma once
#include <cstdint>
#include <string>

#include "engine/image/image.hpp"
#include "kernels/base/error.hpp"
#include "tests/support/picture_bytes.hpp"

namespace chiaro::test {

// A PNG of one channel: a zlib stream of one stored block, every row with filter type 0.
inline std::string gray_png(const GrayImage& gray, char color_type = 0) {
  std::string rows;
  for (std::int64_t y = 0; y < gray.height; ++y) {
    rows += '\0';
    for (std::int64_t x = 0; x < gray.width; ++x) {
      const int value = gray.values[static_cast<std::size_t>(y * gray.width + x)];
      if (gray.bits == 16) rows += static_cast<char>(value >> 8);
      rows += static_cast<char>(value & 255);
    }
  }
  const std::size_t size = rows.size();
  require(size < 65536, "gray_png: {} bytes do not fit into one block", size);
  return png_start(static_cast<std::uint32_t>(gray.width), static_cast<std::uint32_t>(gray.height), gray.bits,
                   color_type) +
         png_chunk("IDAT", stored(rows)) + png_chunk("IEND", "");
}

// Photo: red = 4 * column, green = 4 * row, blue = id. Depth: value 100 * column + row + 1.
inline Image ramp_photo(std::int64_t height, std::int64_t width, int id = 0) {
  Image photo(height, width, 3);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      photo.at(y, x)[0] = static_cast<std::uint8_t>(4 * x);
      photo.at(y, x)[1] = static_cast<std::uint8_t>(4 * y);
      photo.at(y, x)[2] = static_cast<std::uint8_t>(id);
    }
  }
  return photo;
}

inline GrayImage ramp_depth(std::int64_t height, std::int64_t width) {
  GrayImage depth{.height = height, .width = width, .bits = 16, .values = {}};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x)
      depth.values.push_back(static_cast<std::uint16_t>(100 * x + y + 1));
  }
  return depth;
}

}  // namespace chiaro::test
