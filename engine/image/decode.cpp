#include <stb/stb_image.h>

#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "engine/file_util.hpp"
#include "engine/image/format_header.hpp"
#include "engine/image/image.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

std::span<const std::uint8_t> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

struct FreePixels {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

// 1 -> 3 and 2 -> 4 channels; 3 and 4 as they are.
Image widen(const stbi_uc* pixels, std::int64_t height, std::int64_t width, int found) {
  Image image(height, width, found <= 2 ? found + 2 : found);
  if (found >= 3) {
    std::memcpy(image.pixels.data(), pixels, image.pixels.size());
    return image;
  }
  std::uint8_t* out = image.pixels.data();
  for (std::int64_t p = 0; p < height * width; ++p) {
    const stbi_uc* in = pixels + p * found;
    *out++ = in[0];
    *out++ = in[0];
    *out++ = in[0];
    if (found == 2) *out++ = in[1];
  }
  return image;
}

}  // namespace

std::string_view format_name(ImageFormat format) {
  switch (format) {
    case ImageFormat::Jpeg:
      return "JPEG";
    case ImageFormat::Png:
      return "PNG";
    case ImageFormat::Bmp:
      return "BMP";
  }
  return "unknown";
}

Image decode_image(std::span<const std::uint8_t> file, const std::string& name) {
  const FormatHeader header = read_format_header(file, name);
  // stb_image's versions differ in what they make of a cut JPEG; none is accepted here.
  if (!header.complete) {
    throw Error("{}: the {} data ends early ({} bytes); the file was cut off, fetch it again", name,
                format_name(header.format), file.size());
  }
  if (file.size() > std::numeric_limits<int>::max()) {
    throw Error("{}: {} bytes are too many for a picture; the limit is 2 GB", name, file.size());
  }
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, FreePixels> pixels(
      stbi_load_from_memory(file.data(), static_cast<int>(file.size()), &width, &height, &channels, 0));
  if (!pixels) {
    throw Error("{}: damaged or unusual {} (decoder: {}); save it again as a plain JPEG or PNG", name,
                format_name(header.format), stbi_failure_reason());
  }
  Image image = widen(pixels.get(), height, width, channels);
  return apply_orientation(std::move(image), exif_orientation(header.exif));
}

Image decode_image(const std::string& path) {
  return decode_image(as_bytes(read_text(path)), path);
}

ImageInfo probe_image(std::span<const std::uint8_t> file, const std::string& name) {
  const FormatHeader header = read_format_header(file, name);
  ImageInfo info{header.format, header.height, header.width, header.complete};
  if (exif_orientation(header.exif) >= 5) std::swap(info.height, info.width);
  return info;
}

ImageInfo probe_image(const std::string& path) {
  return probe_image(as_bytes(read_text(path)), path);
}

}  // namespace chiaro
