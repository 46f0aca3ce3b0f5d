#include <string_view>

#include "engine/file_util.hpp"
#include "engine/image/decoders.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

// PNG 1.2, section 4.1.1: IHDR begins at byte 16 with width and height (4 bytes each), then these two.
constexpr std::size_t kBitsAt = 24, kColorTypeAt = 25;
constexpr std::uint8_t kColorTypeGray = 0;

std::string_view color_type_name(std::uint8_t type) {
  switch (type) {
    case 0:
      return "gray";
    case 2:
      return "RGB";
    case 3:
      return "palette";
    case 4:
      return "gray with alpha";
    case 6:
      return "RGBA";
    default:
      return "unknown";
  }
}

}  // namespace

GrayImage decode_gray(std::span<const std::uint8_t> file, const std::string& name) {
  const FormatHeader header = read_format_header(file, name);
  if (header.format != ImageFormat::Png) {
    throw Error("{}: a {} picture, expected a gray PNG of 8 or 16 bits; values of depth need exact storage",
                name, format_name(header.format));
  }
  const int bits = file[kBitsAt];
  if (file[kColorTypeAt] != kColorTypeGray || (bits != 8 && bits != 16)) {
    throw Error("{}: a PNG with {} pixels of {} bits, expected gray of 8 or 16 bits; convert it", name,
                color_type_name(file[kColorTypeAt]), bits);
  }
  return decode_gray_png(file, name);
}

GrayImage decode_gray(const std::string& path) {
  const std::string file = read_text(path);
  return decode_gray({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, path);
}

}  // namespace chiaro
