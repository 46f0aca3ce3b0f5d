// One decoder a format, and what a color profile makes of their pixels. Internal to engine/image.
//
// Errors: as decode_image. Memory: the picture, what the library needs for it, and no more than a file of this length
// can fill; a size that its bytes cannot hold is refused before anything is unpacked.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/image/format_header.hpp"
#include "engine/image/image.hpp"

namespace chiaro {

enum class ColorModel { Gray, Rgb, Cmyk };

// What a PNG says of its colors without a profile.
struct Colorimetry {
  double gamma = 0;  // of the stored values, 0.45455 for a screen; 0: not said
  bool has_primaries = false;
  double white[2] = {}, red[2] = {}, green[2] = {}, blue[2] = {};  // CIE x, y
};

struct StoredPicture {
  Image pixels;  // gray: R = G = B; CMYK: the four inks, 255 = none
  ColorModel model = ColorModel::Rgb;
  std::vector<std::uint8_t> profile{};  // ICC; empty: none
  std::optional<Colorimetry> colors{};  // where there is neither a profile nor a mark of sRGB
};

StoredPicture decode_jpeg(std::span<const std::uint8_t> file, const std::string& name,
                          const DecodeOptions& options);
StoredPicture decode_png(std::span<const std::uint8_t> file, const std::string& name,
                         const DecodeOptions& options);
StoredPicture decode_webp(std::span<const std::uint8_t> file, const std::string& name,
                          const DecodeOptions& options);
// The values as stored, of a PNG whose header says gray of 8 or 16 bits.
GrayImage decode_gray_png(std::span<const std::uint8_t> file, const std::string& name);

FormatHeader read_webp_header(std::span<const std::uint8_t> file, const std::string& name);

// Pixels in sRGB. A profile that differs from sRGB by at most a level changes nothing; one that cannot be used is noted
// and ignored. CMYK without a profile: each color is what its ink and black leave of white.
Image to_srgb(StoredPicture picture, const std::string& name, const DecodeOptions& options);

// Appends "NAME: text" where notes are wanted.
void note(const DecodeOptions& options, const std::string& name, const std::string& text);

// "the JPEG data ends early (123 bytes) ..."
[[noreturn]] void throw_cut_off(const std::string& name, ImageFormat format, std::size_t bytes);

}  // namespace chiaro
