// Picture files byte by byte, for tests of what is in them.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/image/image.hpp"
#include "kernels/base/error.hpp"
#include "tests/support/picture_folder.hpp"

namespace chiaro::test {

inline std::string text(std::initializer_list<int> bytes) {
  std::string result;
  for (const int byte : bytes) result += static_cast<char>(byte);
  return result;
}

inline std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

inline std::uint32_t crc32_of(const std::string& bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
  }
  return ~crc;
}

inline std::uint32_t adler32_of(const std::string& bytes) {
  std::uint32_t a = 1, b = 0;
  for (const char c : bytes) {
    a = (a + static_cast<std::uint8_t>(c)) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

inline std::string png_chunk(const std::string& type, const std::string& data) {
  return big_endian(static_cast<std::uint32_t>(data.size())) + type + data +
         big_endian(crc32_of(type + data));
}

inline std::string png_start(std::uint32_t width, std::uint32_t height, int bits, int color_type) {
  return "\x89PNG\r\n\x1A\n" +
         png_chunk("IHDR", big_endian(width) + big_endian(height) + text({bits, color_type, 0, 0, 0}));
}

// A zlib stream of one stored block.
inline std::string stored(const std::string& bytes) {
  const auto size = static_cast<int>(bytes.size());
  return text({0x78, 0x01, 0x01, size & 255, size >> 8, ~size & 255, ~size >> 8 & 255}) + bytes +
         big_endian(adler32_of(bytes));
}

// One row of a PNG, uncompressed, filter type 0.
inline std::string png_row(const std::string& pixels) {
  return png_chunk("IDAT", stored('\0' + pixels)) + png_chunk("IEND", "");
}

// The same PNG with a chunk more, behind IHDR.
inline std::string with_chunk(const std::string& png, const std::string& type, const std::string& data) {
  return png.substr(0, 33) + png_chunk(type, data) + png.substr(33);
}

// A TIFF block that holds only the orientation: one SHORT.
inline std::string orientation_block(int orientation) {
  return std::string("MM\0*\0\0\0\x08", 8) + text({0, 1}) +
         text({0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0}) + std::string(4, '\0');
}

// The same JPEG with a segment more, at its begin.
inline std::string with_segment(const std::string& jpeg, int marker, const std::string& data) {
  const auto length = static_cast<int>(data.size() + 2);
  return jpeg.substr(0, 2) + text({0xFF, marker, length >> 8, length & 255}) + data + jpeg.substr(2);
}

// An ICC profile of a screen: primaries in XYZ under D50 (as in the profile's own tags) and one gamma.
inline std::string screen_profile(const std::vector<double>& red_green_blue, double gamma) {
  const auto fixed = [](double value) {
    return big_endian(static_cast<std::uint32_t>(static_cast<std::int32_t>(std::lround(value * 65536))));
  };
  const auto xyz = [&](double x, double y, double z) {
    return "XYZ " + big_endian(0) + fixed(x) + fixed(y) + fixed(z);
  };
  const auto curve = static_cast<int>(std::lround(gamma * 256));
  const std::string curves = "curv" + big_endian(0) + big_endian(1) + text({curve >> 8, curve & 255, 0, 0});
  const auto& p = red_green_blue;
  const std::vector<std::pair<std::string, std::string>> tags = {{"wtpt", xyz(0.9642, 1, 0.8249)},
                                                                 {"rXYZ", xyz(p[0], p[1], p[2])},
                                                                 {"gXYZ", xyz(p[3], p[4], p[5])},
                                                                 {"bXYZ", xyz(p[6], p[7], p[8])},
                                                                 {"rTRC", curves},
                                                                 {"gTRC", curves},
                                                                 {"bTRC", curves}};
  std::string table = big_endian(static_cast<std::uint32_t>(tags.size())), data;
  const std::size_t data_at = 128 + 4 + 12 * tags.size();
  for (const auto& [name, content] : tags) {
    table += name + big_endian(static_cast<std::uint32_t>(data_at + data.size())) +
             big_endian(static_cast<std::uint32_t>(content.size()));
    data += content;
  }
  const std::string header = big_endian(static_cast<std::uint32_t>(data_at + data.size())) + "lcms" +
                             big_endian(0x02100000) + "mntrRGB XYZ " + std::string(12, '\0') + "acsp" +
                             std::string(28, '\0') + fixed(0.9642) + fixed(1) + fixed(0.8249) +
                             std::string(48, '\0');
  return header + table + data;
}

// Adobe RGB (1998).
inline std::string adobe_profile() {
  return screen_profile({0.60974, 0.31111, 0.01947, 0.20528, 0.62567, 0.06087, 0.14919, 0.06322, 0.74457},
                        2.19921875);
}

inline Image decode_bytes(const std::string& bytes, const DecodeOptions& options = {}) {
  return decode_image(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), "p",
                      options);
}

inline std::string refusal_of(const std::string& bytes) {
  try {
    decode_bytes(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// What decoding notes, in one string.
inline std::string notes_of(const std::string& bytes) {
  std::vector<std::string> notes;
  decode_bytes(bytes, {.notes = &notes});
  std::string all;
  for (const std::string& line : notes) all += line + "\n";
  return all;
}

inline std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The bytes of a picture file: extension ".png" or ".jpg".
inline std::string encoded(const Image& image, const std::string& extension) {
  const PictureFolder folder;
  const std::string path = folder / ("a" + extension);
  encode_image(path, image);
  return contents(path);
}

// Smooth, so that JPEG keeps it within a few levels.
inline Image smooth_image(std::int64_t height, std::int64_t width, int channels = 3) {
  Image image(height, width, channels, 255);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      image.at(y, x)[0] = static_cast<std::uint8_t>(40 + x * 160 / width);
      image.at(y, x)[1] = static_cast<std::uint8_t>(40 + y * 160 / height);
      image.at(y, x)[2] = 90;
    }
  }
  return image;
}

inline int largest_difference(const Image& a, const Image& b) {
  if (a.pixels.size() != b.pixels.size()) return 256;
  int largest = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    largest = std::max(largest, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  return largest;
}

}  // namespace chiaro::test
