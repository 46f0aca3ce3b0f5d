#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string_view>

#include "engine/image/decoders.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr std::int64_t kMaxPixels = std::int64_t{1} << 28;
constexpr std::int64_t kMaxSide = 65536;  // as STBI_MAX_DIMENSIONS

// Bounds-checked access to the file; a read past the end is a header that is not all there.
class Reader {
 public:
  Reader(std::span<const std::uint8_t> file, const std::string& name) : file_(file), name_(name) {}

  std::size_t size() const { return file_.size(); }
  std::uint8_t u8(std::size_t at) const {
    if (at >= file_.size()) {
      throw Error("{}: the file ends inside its header ({} bytes); it was cut off, fetch it again", name_,
                  file_.size());
    }
    return file_[at];
  }
  std::uint32_t u16_big(std::size_t at) const { return std::uint32_t{u8(at)} << 8 | u8(at + 1); }
  std::uint32_t u32_big(std::size_t at) const { return u16_big(at) << 16 | u16_big(at + 2); }
  std::uint32_t u16_little(std::size_t at) const { return u8(at) | std::uint32_t{u8(at + 1)} << 8; }
  std::uint32_t u32_little(std::size_t at) const { return u16_little(at) | u16_little(at + 2) << 16; }
  bool has(std::size_t at, std::string_view bytes) const {
    return at <= file_.size() && bytes.size() <= file_.size() - at &&
           std::equal(bytes.begin(), bytes.end(), file_.begin() + static_cast<std::ptrdiff_t>(at),
                      [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
  }
  std::span<const std::uint8_t> bytes(std::size_t at, std::size_t count) const {
    return file_.subspan(at, count);
  }
  const std::string& name() const { return name_; }

 private:
  std::span<const std::uint8_t> file_;
  const std::string& name_;
};

FormatHeader read_jpeg(const Reader& in) {
  FormatHeader header{.format = ImageFormat::Jpeg};
  bool frame_found = false;
  for (std::size_t at = 2;;) {
    if (in.u8(at) != 0xFF) {  // stray bytes between segments: skipped, as decoders do
      ++at;
      continue;
    }
    const int marker = in.u8(at + 1);
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    at += 2;
    if (marker == 0x00 || marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;  // no length
    if (marker == 0xD9) throw Error("{}: JPEG without a picture; replace the file", in.name());
    const std::size_t length = in.u16_big(at);
    if (length < 2) throw Error("{}: damaged JPEG header; replace the file", in.name());
    const bool is_frame =
        marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (is_frame) {
      header.height = in.u16_big(at + 3);
      header.width = in.u16_big(at + 5);
      frame_found = true;
    } else if (marker == 0xE1 && header.exif.empty() && in.has(at + 2, std::string_view("Exif\0\0", 6)) &&
               at + length <= in.size()) {
      header.exif = in.bytes(at + 2, length - 2);
    } else if (marker == 0xDA) {
      if (!frame_found) throw Error("{}: damaged JPEG header; replace the file", in.name());
      return header;
    }
    at += length;
  }
}

FormatHeader read_png(const Reader& in) {
  if (!in.has(12, "IHDR")) throw Error("{}: damaged PNG header; replace the file", in.name());
  FormatHeader header{.format = ImageFormat::Png, .height = in.u32_big(20), .width = in.u32_big(16)};
  in.u8(32);  // the end of IHDR
  // Chunk: length, type, data, checksum. The decoder checks what is in them.
  for (std::size_t at = 8; at + 12 <= in.size(); at += std::size_t{12} + in.u32_big(at)) {
    const std::size_t length = in.u32_big(at);
    if (!in.has(at + 4, "eXIf") || length > in.size() - at - 12) continue;
    header.exif = in.bytes(at + 8, length);
    break;
  }
  return header;
}

FormatHeader read_bmp(const Reader& in) {
  FormatHeader header{.format = ImageFormat::Bmp};
  const std::size_t data_at = in.u32_little(10);
  std::int64_t bits_per_pixel = 0;
  std::uint32_t compression = 0;
  if (in.u32_little(14) == 12) {  // the OS/2 header
    header.width = in.u16_little(18);
    header.height = in.u16_little(20);
    bits_per_pixel = in.u16_little(24);
  } else {
    header.width = static_cast<std::int32_t>(in.u32_little(18));
    header.height =
        std::abs(std::int64_t{static_cast<std::int32_t>(in.u32_little(22))});  // < 0: top row first
    bits_per_pixel = in.u16_little(28);
    compression = in.u32_little(30);
  }
  const bool uncompressed = compression == 0 || compression == 3;
  const std::int64_t row_bytes = (header.width * bits_per_pixel + 31) / 32 * 4;
  const bool rows_missing =
      uncompressed && header.width <= kMaxSide && header.height <= kMaxSide &&
      static_cast<std::int64_t>(data_at) + row_bytes * header.height > static_cast<std::int64_t>(in.size());
  if (rows_missing) throw_cut_off(in.name(), header.format, in.size());
  return header;
}

// Names formats that people do have in photo folders; otherwise tells text from unknown binary data.
std::string describe_content(const Reader& in) {
  struct Signature {
    std::size_t at;
    std::string_view bytes;
    std::string_view name;
  };
  constexpr Signature kSignatures[] = {
      {0, "GIF8", "GIF"},
      {0, std::string_view("II*\0", 4), "TIFF"},
      {0, std::string_view("MM\0*", 4), "TIFF"},
      {4, "ftypavif", "AVIF"},
      {4, "ftyphe", "HEIC"},
      {4, "ftypmif1", "HEIC"},
      {0, "8BPS", "Photoshop"},
      {0, "%PDF", "PDF"},
      {0, "\x89HDF", "HDF5"},
      {0, "PK\x03\x04", "ZIP"},
  };
  for (const Signature& signature : kSignatures) {
    if (in.has(signature.at, signature.bytes)) return fmt::format("a {} file", signature.name);
  }
  std::string start;
  for (std::size_t i = 0; i < std::min<std::size_t>(in.size(), 256); ++i) {
    const int byte = in.u8(i);
    if (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') return "unknown binary data";
    start += static_cast<char>(std::tolower(byte));
  }
  const bool html = start.find("<html") != std::string::npos || start.find("<!doctype") != std::string::npos;
  return html ? "an HTML page" : "text";
}

}  // namespace

FormatHeader read_format_header(std::span<const std::uint8_t> file, const std::string& name) {
  const Reader in(file, name);
  if (file.empty()) throw Error("{}: the file is empty (0 bytes); fetch it again", name);
  FormatHeader header;
  if (in.has(0, "\xFF\xD8\xFF")) {
    header = read_jpeg(in);
  } else if (in.has(0, "\x89PNG\r\n\x1A\n")) {
    header = read_png(in);
  } else if (in.has(0, "BM")) {
    header = read_bmp(in);
  } else if (in.has(0, "RIFF") && in.has(8, "WEBP")) {
    header = read_webp_header(file, name);
  } else {
    throw Error("{}: not a JPEG, PNG, WebP or BMP picture (found {}); convert or remove it", name,
                describe_content(in));
  }
  if (header.height <= 0 || header.width <= 0) {
    throw Error("{}: the {} header says {} x {} pixels (width x height); replace the file", name,
                format_name(header.format), header.width, header.height);
  }
  if (std::max(header.width, header.height) > kMaxSide || header.width * header.height > kMaxPixels) {
    throw Error("{}: the {} header says {} x {} pixels; the limit is {} per side and {} million in all", name,
                format_name(header.format), header.width, header.height, kMaxSide, kMaxPixels / 1'000'000);
  }
  return header;
}

}  // namespace chiaro
