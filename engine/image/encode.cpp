// PNG through libpng, JPEG through libjpeg-turbo. Errors of both leave through longjmp.
#include <algorithm>
#include <cctype>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>
#include <utility>

#include <jpeglib.h>
#include <png.h>

#include "engine/file_util.hpp"
#include "engine/image/image.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr int kFullColorQuality = 90;  // above it colors keep the resolution of brightness

struct PngEncoder {
  std::string bytes{};
  std::jmp_buf escape{};
};

[[noreturn]] void on_png_error(png_structp png, png_const_charp) {
  std::longjmp(static_cast<PngEncoder*>(png_get_error_ptr(png))->escape, 1);
}

void on_png_warning(png_structp, png_const_charp) {}

void on_png_bytes(png_structp png, png_bytep data, png_size_t count) {
  bool full = false;
  try {
    auto& bytes = static_cast<PngEncoder*>(png_get_io_ptr(png))->bytes;
    bytes.append(reinterpret_cast<const char*>(data), count);
  } catch (const std::bad_alloc&) {  // may not pass through the library
    full = true;
  }
  if (full) png_error(png, "out of memory");
}

bool write_png(const Image& image, png_structp png, png_infop info, PngEncoder& encoder) {
  if (setjmp(encoder.escape)) return false;
  png_set_write_fn(png, &encoder, on_png_bytes, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
               image.channels == 4 ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
  png_write_info(png, info);
  for (std::int64_t y = 0; y < image.height; ++y) png_write_row(png, image.at(y, 0));
  png_write_end(png, nullptr);
  return true;
}

std::string encode_png(const Image& image) {
  PngEncoder encoder;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &encoder, on_png_error, on_png_warning);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  const bool written = info && write_png(image, png, info, encoder);
  png_destroy_write_struct(&png, &info);
  if (!written) throw std::bad_alloc();  // sizes are checked: nothing else is left to fail
  return std::move(encoder.bytes);
}

struct JpegEncoder {
  jpeg_error_mgr errors{};
  std::jmp_buf escape{};
  jpeg_compress_struct info{};
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
};

[[noreturn]] void on_jpeg_error(j_common_ptr info) {
  std::longjmp(static_cast<JpegEncoder*>(info->client_data)->escape, 1);
}

bool write_jpeg(const Image& image, int quality, JpegEncoder& encoder) {
  jpeg_compress_struct& info = encoder.info;
  info.err = jpeg_std_error(&encoder.errors);
  info.client_data = &encoder;
  encoder.errors.error_exit = on_jpeg_error;
  if (setjmp(encoder.escape)) return false;
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &encoder.bytes, &encoder.size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = image.channels;
  info.in_color_space = image.channels == 4 ? JCS_EXT_RGBX : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  if (quality > kFullColorQuality) info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPROW>(image.at(info.next_scanline, 0));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  return true;
}

std::string encode_jpeg(const Image& image, int quality) {
  JpegEncoder encoder;
  const bool written = write_jpeg(image, quality, encoder);
  jpeg_destroy_compress(&encoder.info);
  const std::unique_ptr<unsigned char, decltype(&std::free)> owner(encoder.bytes, &std::free);
  if (!written) throw Error("a JPEG of {} x {} pixels cannot be written; use PNG", image.width, image.height);
  return {reinterpret_cast<const char*>(encoder.bytes), encoder.size};
}

}  // namespace

std::string encoded_image(const std::string& path, const Image& image, int jpeg_quality) {
  require(image.height > 0 && image.width > 0 && (image.channels == 3 || image.channels == 4) &&
              static_cast<std::int64_t>(image.pixels.size()) == image.height * image.width * image.channels,
          "{}: cannot write a picture of {} x {} pixels with {} channels and {} bytes", path, image.width,
          image.height, image.channels, image.pixels.size());
  require(jpeg_quality >= 1 && jpeg_quality <= 100, "{}: a JPEG quality of {}, expected 1 to 100", path,
          jpeg_quality);
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string bytes;
  if (extension == ".png") {
    bytes = encode_png(image);
  } else if (extension == ".jpg" || extension == ".jpeg") {
    if (std::max(image.height, image.width) > JPEG_MAX_DIMENSION) {
      throw Error("{}: a JPEG has at most {} pixels a side, this picture has {} x {}; use .png", path,
                  JPEG_MAX_DIMENSION, image.width, image.height);
    }
    bytes = encode_jpeg(image, jpeg_quality);
  } else {
    throw Error("{}: unknown picture extension '{}'; use .png, .jpg or .jpeg", path, extension);
  }
  return bytes;
}

void encode_image(const std::string& path, const Image& image, int jpeg_quality) {
  write_text(path, encoded_image(path, image, jpeg_quality));
}

}  // namespace chiaro
