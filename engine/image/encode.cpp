#include <stb/stb_image_write.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "engine/file_util.hpp"
#include "engine/image/image.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr int kJpegQuality = 95;

void append(void* bytes, void* data, int size) {
  const auto* begin = static_cast<const char*>(data);
  static_cast<std::string*>(bytes)->append(begin, static_cast<std::size_t>(size));
}

}  // namespace

std::string encoded_image(const std::string& path, const Image& image) {
  require(image.height > 0 && image.width > 0 && (image.channels == 3 || image.channels == 4) &&
              static_cast<std::int64_t>(image.pixels.size()) == image.height * image.width * image.channels,
          "{}: cannot write a picture of {} x {} pixels with {} channels and {} bytes", path, image.width,
          image.height, image.channels, image.pixels.size());
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const int width = static_cast<int>(image.width), height = static_cast<int>(image.height);
  std::string bytes;
  int written = 0;
  if (extension == ".png") {
    written = stbi_write_png_to_func(append, &bytes, width, height, image.channels, image.pixels.data(),
                                     width * image.channels);
  } else if (extension == ".jpg" || extension == ".jpeg") {
    written = stbi_write_jpg_to_func(append, &bytes, width, height, image.channels, image.pixels.data(),
                                     kJpegQuality);
  } else {
    throw Error("{}: unknown picture extension '{}'; use .png, .jpg or .jpeg", path, extension);
  }
  if (!written) throw Error("{}: a picture of {} x {} pixels cannot be encoded", path, width, height);
  return bytes;
}

void encode_image(const std::string& path, const Image& image) {
  write_text(path, encoded_image(path, image));
}

}  // namespace chiaro
