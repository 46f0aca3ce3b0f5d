// Reads the headers of picture files: what must be known before pixels are decoded.
// Internal to engine/image.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "engine/image/image.hpp"

namespace chiaro {

struct FormatHeader {
  ImageFormat format{};
  std::int64_t height = 0, width = 0;    // as stored, before EXIF orientation
  std::span<const std::uint8_t> exif{};  // the EXIF block, with or without "Exif\0\0"; empty if there is none
};

// Errors as decode_image: everything that can be told from the headers.
FormatHeader read_format_header(std::span<const std::uint8_t> file, const std::string& name);

// The EXIF orientation, 1 to 8; 1 where the block is empty, damaged or says nothing (orientation.cpp).
int exif_orientation(std::span<const std::uint8_t> exif);

}  // namespace chiaro
