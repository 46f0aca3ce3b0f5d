#include <stb/stb_image.h>

#include <limits>
#include <memory>
#include <string_view>

#include "engine/file_util.hpp"
#include "engine/image/format_header.hpp"
#include "engine/image/image.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

struct FreeDepthPixels {
  void operator()(void* pixels) const { stbi_image_free(pixels); }
};

template <class Value>
using Pixels = std::unique_ptr<Value, FreeDepthPixels>;

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

template <class Value>
void copy_values(const Pixels<Value>& pixels, GrayImage& gray, const std::string& name) {
  if (!pixels) {
    throw Error("{}: damaged or unusual PNG (decoder: {}); save it again", name, stbi_failure_reason());
  }
  gray.values.assign(pixels.get(), pixels.get() + gray.height * gray.width);
}

}  // namespace

GrayImage decode_gray(std::span<const std::uint8_t> file, const std::string& name) {
  const FormatHeader header = read_format_header(file, name);
  if (header.format != ImageFormat::Png) {
    throw Error("{}: a {} picture, expected a gray PNG of 8 or 16 bits; values of depth need exact storage",
                name, format_name(header.format));
  }
  // A complete file has an IEND chunk after IHDR, so the bytes that follow are there.
  if (!header.complete || file.size() > std::numeric_limits<int>::max()) {
    throw Error("{}: the PNG data ends early ({} bytes); the file was cut off, fetch it again", name,
                file.size());
  }
  const int bits = file[kBitsAt];
  if (file[kColorTypeAt] != kColorTypeGray || (bits != 8 && bits != 16)) {
    throw Error("{}: a PNG with {} pixels of {} bits, expected gray of 8 or 16 bits; convert it", name,
                color_type_name(file[kColorTypeAt]), bits);
  }
  GrayImage gray{.height = header.height, .width = header.width, .bits = bits, .values = {}};
  const int size = static_cast<int>(file.size());
  int width = 0, height = 0, channels = 0;
  if (bits == 8) {
    const Pixels<stbi_uc> pixels(
        stbi_load_from_memory(file.data(), size, &width, &height, &channels, STBI_grey));
    copy_values(pixels, gray, name);
  } else {
    const Pixels<stbi_us> pixels(
        stbi_load_16_from_memory(file.data(), size, &width, &height, &channels, STBI_grey));
    copy_values(pixels, gray, name);
  }
  return gray;
}

GrayImage decode_gray(const std::string& path) {
  const std::string file = read_text(path);
  return decode_gray({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, path);
}

}  // namespace chiaro
