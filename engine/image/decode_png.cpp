// PNG through libpng, with every checksum. Errors of the library leave through longjmp.
#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <new>
#include <utility>

#include <png.h>

#include "engine/image/decoders.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

// Deflate makes at most this many bytes of one.
constexpr std::int64_t kMaxInflation = 1032;
constexpr png_uint_32 kMaxPngSide = 65536;       // as kMaxSide in format_header.cpp
constexpr png_alloc_size_t kMaxChunk = 8 << 20;  // of chunks that are kept: profiles above all

class PngDecoder {
 public:
  PngDecoder(std::span<const std::uint8_t> file, const std::string& name) : file_(file), name_(name) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (png_) info_ = png_create_info_struct(png_);
    if (!info_) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
    try {
      guarded([&] {
        png_set_user_limits(png_, kMaxPngSide, kMaxPngSide);
        png_set_chunk_malloc_max(png_, kMaxChunk);
        png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
        png_set_read_fn(png_, this, on_read);
        png_read_info(png_, info_);
      });
    } catch (...) {
      png_destroy_read_struct(&png_, &info_, nullptr);
      throw;
    }
  }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }

  // Runs calls of the library; their locals have no destructors, because errors jump over them.
  template <class Calls>
  void guarded(Calls&& calls) {
    if (!completed(calls)) fail();
  }

  // All rows, then what follows them. rows: one pointer each, into memory of png_get_rowbytes().
  void read_rows(std::vector<png_bytep>& rows, const DecodeOptions& options) {
    guarded([&] { png_read_image(png_, rows.data()); });
    const auto rest = [&] { png_read_end(png_, nullptr); };
    if (completed(rest)) return;
    if (!at_end_) fail();
    note(options, name_, "the file ends early, but all rows are there");
  }
  // What is unpacked may not be more than the file's bytes can hold.
  void check_inflation() const {
    const std::int64_t bytes =
        static_cast<std::int64_t>(png_get_rowbytes(png_, info_)) * png_get_image_height(png_, info_);
    if (bytes / kMaxInflation > std::ssize(file_)) throw_cut_off(name_, ImageFormat::Png, file_.size());
  }

  png_structp png() const { return png_; }
  png_infop info() const { return info_; }

 private:
  template <class Calls>
  bool completed(Calls& calls) {
    if (setjmp(escape_)) return false;
    calls();
    return true;
  }
  [[noreturn]] void give_up(const char* text) {
    std::strncpy(text_, text, sizeof text_ - 1);
    std::longjmp(escape_, 1);
  }
  [[noreturn]] static void on_error(png_structp png, png_const_charp text) {
    static_cast<PngDecoder*>(png_get_error_ptr(png))->give_up(text);
  }
  // The library only warns of a wrong Adler-32, which it sees once all rows are out.
  static void on_warning(png_structp png, png_const_charp text) {
    if (std::strstr(text, "incorrect data check")) on_error(png, text);
  }
  static void on_read(png_structp png, png_bytep bytes, png_size_t count) {
    auto& self = *static_cast<PngDecoder*>(png_get_io_ptr(png));
    if (count > self.file_.size() - self.place_) {
      self.at_end_ = true;
      self.give_up("it ends early");
    }
    std::memcpy(bytes, self.file_.data() + self.place_, count);
    self.place_ += count;
  }
  [[noreturn]] void fail() const {
    if (at_end_) throw_cut_off(name_, ImageFormat::Png, file_.size());
    const bool checksum = std::strstr(text_, "CRC error") || std::strstr(text_, "incorrect data check");
    throw Error("{}: damaged PNG ({}{}); fetch it again", name_,
                checksum ? "checksum; " : "decoder: ", text_);
  }

  std::span<const std::uint8_t> file_;
  const std::string& name_;
  std::size_t place_ = 0;
  bool at_end_ = false;
  char text_[128] = "";
  std::jmp_buf escape_{};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

// Profile and marks of color; of unusable profiles the library has dropped the data.
void read_colors(PngDecoder& decoder, StoredPicture& picture) {
  png_charp profile_name = nullptr;
  png_bytep profile = nullptr;
  png_uint_32 bytes = 0;
  int method = 0, intent = 0;
  double gamma = 0;
  Colorimetry colors;
  decoder.guarded([&] {
    if (png_get_iCCP(decoder.png(), decoder.info(), &profile_name, &method, &profile, &bytes)) return;
    if (png_get_sRGB(decoder.png(), decoder.info(), &intent)) return;
    if (png_get_gAMA(decoder.png(), decoder.info(), &gamma)) colors.gamma = gamma;
    colors.has_primaries = png_get_cHRM(decoder.png(), decoder.info(), &colors.white[0], &colors.white[1],
                                        &colors.red[0], &colors.red[1], &colors.green[0], &colors.green[1],
                                        &colors.blue[0], &colors.blue[1]) != 0;
  });
  if (profile) picture.profile.assign(profile, profile + bytes);
  if (colors.gamma > 0 || colors.has_primaries) picture.colors = colors;
}

}  // namespace

StoredPicture decode_png(std::span<const std::uint8_t> file, const std::string& name,
                         const DecodeOptions& options) {
  PngDecoder decoder(file, name);
  png_structp png = decoder.png();
  png_infop info = decoder.info();
  decoder.check_inflation();
  StoredPicture picture;
  const int type = png_get_color_type(png, info);
  picture.model = type & PNG_COLOR_MASK_COLOR ? ColorModel::Rgb : ColorModel::Gray;
  read_colors(decoder, picture);
  decoder.guarded([&] {
    png_set_expand(png);
    png_set_strip_16(png);
    png_set_gray_to_rgb(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
  });
  Image& image = picture.pixels;
  image = Image(png_get_image_height(png, info), png_get_image_width(png, info), png_get_channels(png, info));
  require(static_cast<std::int64_t>(png_get_rowbytes(png, info)) == image.width * image.channels,
          "{}: PNG rows of {} bytes", name, png_get_rowbytes(png, info));
  std::vector<png_bytep> rows;
  for (std::int64_t y = 0; y < image.height; ++y) rows.push_back(image.at(y, 0));
  decoder.read_rows(rows, options);
  return picture;
}

GrayImage decode_gray_png(std::span<const std::uint8_t> file, const std::string& name) {
  PngDecoder decoder(file, name);
  png_structp png = decoder.png();
  png_infop info = decoder.info();
  decoder.check_inflation();
  GrayImage gray{.height = png_get_image_height(png, info),
                 .width = png_get_image_width(png, info),
                 .bits = png_get_bit_depth(png, info),
                 .values = {}};
  decoder.guarded([&] {
    if (gray.bits == 16) png_set_swap(png);  // to the order of this machine
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
  });
  require(static_cast<std::int64_t>(png_get_rowbytes(png, info)) == gray.width * (gray.bits / 8),
          "{}: PNG rows of {} bytes", name, png_get_rowbytes(png, info));
  gray.values.resize(static_cast<std::size_t>(gray.height * gray.width));
  // Rows of 8 bits lie in the second half of the values and are spread to their places from the front.
  auto* bytes = reinterpret_cast<std::uint8_t*>(gray.values.data());
  const std::size_t count = gray.values.size();
  std::uint8_t* first = bytes + (gray.bits == 8 ? count : 0);
  std::vector<png_bytep> rows;
  for (std::int64_t y = 0; y < gray.height; ++y) rows.push_back(first + y * gray.width * (gray.bits / 8));
  decoder.read_rows(rows, {});
  if (gray.bits == 8) {
    for (std::size_t i = 0; i < count; ++i) gray.values[i] = first[i];
  }
  return gray;
}

}  // namespace chiaro
