#include <stb/stb_image.h>

#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "engine/file_util.hpp"
#include "engine/image/decoders.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

std::span<const std::uint8_t> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

struct FreePixels {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

StoredPicture decode_bmp(std::span<const std::uint8_t> file, const std::string& name) {
  if (file.size() > std::numeric_limits<int>::max()) {
    throw Error("{}: {} bytes are too many for a BMP picture; the limit is 2 GB", name, file.size());
  }
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, FreePixels> pixels(
      stbi_load_from_memory(file.data(), static_cast<int>(file.size()), &width, &height, &channels, 0));
  if (!pixels || (channels != 3 && channels != 4)) {
    throw Error("{}: damaged or unusual BMP (decoder: {}); save it again as a plain JPEG or PNG", name,
                pixels ? "not in colors" : stbi_failure_reason());
  }
  StoredPicture picture{.pixels = Image(height, width, channels)};
  std::memcpy(picture.pixels.pixels.data(), pixels.get(), picture.pixels.pixels.size());
  return picture;
}

StoredPicture decode_stored(const FormatHeader& header, std::span<const std::uint8_t> file,
                            const std::string& name, const DecodeOptions& options) {
  switch (header.format) {
    case ImageFormat::Jpeg:
      return decode_jpeg(file, name, options);
    case ImageFormat::Png:
      return decode_png(file, name, options);
    case ImageFormat::Webp:
      return decode_webp(file, name, options);
    case ImageFormat::Bmp:
      break;
  }
  return decode_bmp(file, name);
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
    case ImageFormat::Webp:
      return "WebP";
  }
  return "unknown";
}

void note(const DecodeOptions& options, const std::string& name, const std::string& text) {
  if (options.notes) options.notes->push_back(name + ": " + text);
}

void throw_cut_off(const std::string& name, ImageFormat format, std::size_t bytes) {
  throw Error("{}: the {} data ends early ({} bytes); the file was cut off, fetch it again", name,
              format_name(format), bytes);
}

Image decode_image(std::span<const std::uint8_t> file, const std::string& name,
                   const DecodeOptions& options) {
  const FormatHeader header = read_format_header(file, name);
  Image image = to_srgb(decode_stored(header, file, name, options), name, options);
  return apply_orientation(std::move(image), exif_orientation(header.exif));
}

Image decode_image(const std::string& path, const DecodeOptions& options) {
  return decode_image(as_bytes(read_text(path)), path, options);
}

ImageInfo probe_image(std::span<const std::uint8_t> file, const std::string& name) {
  const FormatHeader header = read_format_header(file, name);
  ImageInfo info{header.format, header.height, header.width};
  if (exif_orientation(header.exif) >= 5) std::swap(info.height, info.width);
  return info;
}

ImageInfo probe_image(const std::string& path) {
  return probe_image(as_bytes(read_text(path)), path);
}

}  // namespace chiaro
