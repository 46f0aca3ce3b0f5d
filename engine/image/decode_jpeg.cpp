// JPEG through libjpeg-turbo, which tells damage by warnings and leaves errors to longjmp.
#include <algorithm>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it
#include <cstdlib>
#include <memory>
#include <utility>

#include <jerror.h>
#include <jpeglib.h>

#include "engine/image/decoders.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

enum class Damage { None, CutOff, Damaged };

struct JpegErrors {
  jpeg_error_mgr base{};
  std::jmp_buf escape{};
  Damage damage = Damage::None;
  bool in_scan = false;
  char text[JMSG_LENGTH_MAX] = "";
};

// The library wants a file of this many scans to be refused: each costs a pass over the whole picture.
constexpr int kMaxScans = 500;
// A block of 8 x 8 values takes one bit at the least, unless it is coded arithmetically.
constexpr std::int64_t kMaxPixelsPerByte = 512;

JpegErrors& errors_of(j_common_ptr info) {
  return *reinterpret_cast<JpegErrors*>(info->err);  // base is its first member
}

[[noreturn]] void give_up(j_common_ptr info, Damage damage) {
  JpegErrors& errors = errors_of(info);
  errors.damage = damage;
  errors.base.format_message(info, errors.text);
  std::longjmp(errors.escape, 1);
}

[[noreturn]] void on_error(j_common_ptr info) {
  give_up(info, Damage::Damaged);
}

// True if the last `count` bytes before the marker that was just read are zeros or FF: padding, not lost data.
bool is_padding(const jpeg_source_mgr& source, const JOCTET* begin, std::int64_t count) {
  const JOCTET* end = source.next_input_byte;
  const JOCTET* from = end - std::min<std::int64_t>(count + 2, end - begin);
  return std::all_of(from, std::max(from, end - 2), [](JOCTET byte) { return byte == 0 || byte == 0xFF; });
}

void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;  // a trace
  const auto* decoder = reinterpret_cast<j_decompress_ptr>(info);
  const JpegErrors& errors = errors_of(info);
  const int* values = errors.base.msg_parm.i;
  switch (errors.base.msg_code) {
    case JWRN_HIT_MARKER:
      give_up(info, decoder->unread_marker == JPEG_EOI ? Damage::CutOff : Damage::Damaged);
    case JWRN_MUST_RESYNC:
      give_up(info, values[0] == JPEG_EOI ? Damage::CutOff : Damage::Damaged);
    case JWRN_EXTRANEOUS_DATA:
      if (errors.in_scan &&
          !is_padding(*decoder->src, static_cast<const JOCTET*>(decoder->client_data), values[0]))
        give_up(info, Damage::Damaged);
      return;
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_ICC:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL:
      return;
    default:
      give_up(info, Damage::Damaged);
  }
}

void on_progress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans) {
    errors_of(info).base.msg_code = JERR_BAD_PROGRESSION;
    give_up(info, Damage::Damaged);
  }
}

struct FreeBytes {
  void operator()(void* bytes) const { std::free(bytes); }
};

// A decoder over a copy of the file that ends with an end marker in any case.
class JpegDecoder {
 public:
  JpegDecoder(std::span<const std::uint8_t> file, const std::string& name)
      : name_(name), size_(file.size()), bytes_(file.begin(), file.end()) {
    bytes_.insert(bytes_.end(), {0xFF, JPEG_EOI});
    info_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = on_error;
    errors_.base.emit_message = on_message;
    try {
      guarded([&] {
        jpeg_create_decompress(&info_);
        info_.client_data = bytes_.data();
        info_.progress = &progress_;
        jpeg_mem_src(&info_, bytes_.data(), static_cast<unsigned long>(bytes_.size()));
        jpeg_save_markers(&info_, JPEG_APP0 + 2, 0xFFFF);
        jpeg_read_header(&info_, TRUE);
      });
    } catch (...) {  // no destructor follows
      jpeg_destroy_decompress(&info_);
      throw;
    }
    errors_.in_scan = true;
  }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;
  ~JpegDecoder() { jpeg_destroy_decompress(&info_); }

  // Runs calls of the library; their locals have no destructors, because errors jump over them.
  template <class Calls>
  void guarded(Calls&& calls) {
    if (!completed(calls)) fail();
  }
  jpeg_decompress_struct& info() { return info_; }
  std::size_t size() const { return size_; }
  bool read_past_end() const { return info_.src->next_input_byte > bytes_.data() + size_; }

  // A progressive file whose last scans are missing is a coarse picture without any warning, and so is one
  // that has a scan for each component.
  bool lacks_scans() const {
    for (int c = 0; c < info_.num_components; ++c) {
      if (!info_.comp_info[c].quant_table) return true;
      if (!info_.coef_bits) continue;
      const int* bits = info_.coef_bits[c];
      if (std::any_of(bits, bits + DCTSIZE2, [](int missing) { return missing != 0; })) return true;
    }
    return false;
  }

 private:
  template <class Calls>
  bool completed(Calls& calls) {
    if (setjmp(errors_.escape)) return false;
    calls();
    return true;
  }
  [[noreturn]] void fail() const {
    if (errors_.damage == Damage::CutOff) throw_cut_off(name_, ImageFormat::Jpeg, size_);
    throw Error("{}: damaged or unusual JPEG (decoder: {}); fetch it again or save it as a plain JPEG or PNG",
                name_, errors_.text);
  }

  const std::string& name_;
  std::size_t size_;
  std::vector<std::uint8_t> bytes_;
  JpegErrors errors_;
  jpeg_progress_mgr progress_{.progress_monitor = on_progress};
  jpeg_decompress_struct info_{};
};

ColorModel choose_colors(jpeg_decompress_struct& info, const std::string& name) {
  switch (info.jpeg_color_space) {
    case JCS_GRAYSCALE:
      info.out_color_space = JCS_RGB;
      return ColorModel::Gray;
    case JCS_YCbCr:
    case JCS_RGB:
      info.out_color_space = JCS_RGB;
      return ColorModel::Rgb;
    case JCS_CMYK:
    case JCS_YCCK:
      info.out_color_space = JCS_CMYK;
      return ColorModel::Cmyk;
    default:
      throw Error("{}: a JPEG with {} components of unknown colors; convert it to RGB", name,
                  info.num_components);
  }
}

// The least of 8 scales that leaves the short side at least so long.
unsigned scale_for(const jpeg_decompress_struct& info, std::int64_t short_side) {
  const auto stored = static_cast<std::int64_t>(std::min(info.image_width, info.image_height));
  unsigned eighths = 8;
  while (short_side > 0 && eighths > 1 && stored * (eighths - 1) >= short_side * 8) --eighths;
  return eighths;
}

}  // namespace

StoredPicture decode_jpeg(std::span<const std::uint8_t> file, const std::string& name,
                          const DecodeOptions& options) {
  JpegDecoder decoder(file, name);
  jpeg_decompress_struct& info = decoder.info();
  const std::int64_t stored = std::int64_t{info.image_width} * info.image_height;
  if (!info.arith_code && stored / kMaxPixelsPerByte > std::ssize(file))
    throw_cut_off(name, ImageFormat::Jpeg, file.size());
  StoredPicture picture;
  picture.model = choose_colors(info, name);
  info.scale_num = scale_for(info, options.short_side);
  info.scale_denom = 8;

  JOCTET* profile = nullptr;
  unsigned profile_bytes = 0;
  decoder.guarded([&] {
    jpeg_calc_output_dimensions(&info);
    jpeg_read_icc_profile(&info, &profile, &profile_bytes);
  });
  const std::unique_ptr<JOCTET, FreeBytes> owner(profile);
  if (profile) picture.profile.assign(profile, profile + profile_bytes);

  Image& image = picture.pixels;
  image = Image(info.output_height, info.output_width, picture.model == ColorModel::Cmyk ? 4 : 3);
  decoder.guarded([&] {
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = image.at(info.output_scanline, 0);
      jpeg_read_scanlines(&info, &row, 1);
    }
  });
  if (decoder.lacks_scans()) throw_cut_off(name, ImageFormat::Jpeg, file.size());
  decoder.guarded([&] { jpeg_finish_decompress(&info); });
  if (decoder.read_past_end()) note(options, name, "the end marker is missing, but all rows are there");
  // Adobe's programs store inks inverted, and all others follow them; a file without their mark does not.
  if (picture.model == ColorModel::Cmyk && !info.saw_Adobe_marker) {
    for (std::uint8_t& ink : image.pixels) ink = static_cast<std::uint8_t>(255 - ink);
  }
  return picture;
}

}  // namespace chiaro
