// Pictures in memory, and how they get in and out of files.
//
// Pixels are 8-bit, rows from top to bottom, (height, width, channels) dense, channels innermost:
// 3 = R G B or 4 = R G B A (straight alpha), in sRGB.
// All functions are deterministic and may run in several threads at once.
// Errors are one line: "PATH: what is wrong (what was found); what to do".
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace chiaro {

struct Image {
  std::int64_t height = 0;
  std::int64_t width = 0;
  int channels = 3;
  std::vector<std::uint8_t> pixels;  // height * width * channels

  Image() = default;
  // A picture filled with one value. Error for an impossible size or number of channels.
  Image(std::int64_t height, std::int64_t width, int channels, std::uint8_t value = 0);

  std::uint8_t* at(std::int64_t y, std::int64_t x) { return pixels.data() + (y * width + x) * channels; }
  const std::uint8_t* at(std::int64_t y, std::int64_t x) const {
    return pixels.data() + (y * width + x) * channels;
  }
  bool operator==(const Image&) const = default;
};

// ---- reading (decode*.cpp, color_profile.cpp, format_header.cpp, orientation.cpp) ----

enum class ImageFormat { Jpeg, Png, Bmp, Webp };
std::string_view format_name(ImageFormat format);  // "JPEG", "PNG", "BMP", "WebP"

struct ImageInfo {
  ImageFormat format;
  std::int64_t height, width;  // as decode_image returns them: after EXIF orientation
};

struct DecodeOptions {
  // A JPEG may come out scaled down, by eighths, as long as its short side keeps so many pixels: many times faster
  // for a photo that is to become small. 0 = as stored. The aspect may be off by less than a pixel.
  std::int64_t short_side = 0;
  // Where lines about pictures go that were read all the same, each beginning with the name. Null: nowhere.
  std::vector<std::string>* notes = nullptr;
};

// Reads a JPEG, PNG, WebP or BMP file, recognized by content and not by its name.
//   gray -> RGB, gray + alpha -> RGBA, palette -> RGB or RGBA, 16-bit PNG -> its upper 8 bits, CMYK -> RGB.
//   The EXIF orientation is applied, all eight values.
//   Colors become sRGB by the ICC profile, a PNG's also by its gAMA and cHRM. Without: as stored.
// Errors: missing, unreadable or empty file, a directory, another format (named if it is a known one), an animated
// WebP, a size of zero, above 65536 a side or 2^28 pixels, rows that are not there, checksums that do not match (PNG),
// all else that the decoder reports as damage.
// Notes: an end mark that is missing though all rows are there; a profile that cannot be used and was ignored.
// Source: libjpeg-turbo, libpng, libwebp, Little CMS; stb_image for BMP.
Image decode_image(const std::string& path, const DecodeOptions& options = {});
// The same from memory; name stands for the path in messages.
Image decode_image(std::span<const std::uint8_t> file, const std::string& name,
                   const DecodeOptions& options = {});

// Format and size from the headers alone. The same errors, except for damage beyond the headers.
ImageInfo probe_image(const std::string& path);
ImageInfo probe_image(std::span<const std::uint8_t> file, const std::string& name);

// ---- reading gray values (decode_depth.cpp) ----

// One channel of numbers, for example depths, as they are stored: nothing is scaled.
struct GrayImage {
  std::int64_t height = 0;
  std::int64_t width = 0;
  int bits = 8;                       // 8 or 16, as in the file
  std::vector<std::uint16_t> values;  // (height, width)
  bool operator==(const GrayImage&) const = default;
};

// Reads a gray PNG of 8 or 16 bits. Errors as decode_image; also any other format, colors, alpha, or
// fewer bits.
GrayImage decode_gray(const std::string& path);
GrayImage decode_gray(std::span<const std::uint8_t> file, const std::string& name);

// ---- writing (encode.cpp) ----

constexpr int kJpegQuality = 95;

// Writes a .png, .jpg or .jpeg file (extension in any case). JPEG has no alpha: RGBA loses it. PNG is marked as sRGB;
// a JPEG without a profile means that. The file appears under its name only when it is complete; an older one is replaced.
void encode_image(const std::string& path, const Image& image, int jpeg_quality = kJpegQuality);
// The bytes of that file.
std::string encoded_image(const std::string& path, const Image& image, int jpeg_quality = kJpegQuality);

// ---- transforming (transform.cpp, grid.cpp, orientation.cpp) ----

// Antialiased: Mitchell's filter down, Catmull-Rom up, on the values as stored, borders clamped. Colors are
// weighted by alpha, so invisible pixels leave no fringes. An unchanged size copies the pixels.
// Source: stb_image_resize. The same bits on every run of one build.
Image resize(const Image& image, std::int64_t height, std::int64_t width);

// The rectangle with its upper left corner at (top, left). Error if it does not lie inside the picture.
Image crop(const Image& image, std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width);

// RGB as seen on a white page: c * a + 255 * (1 - a), rounded. RGB comes back unchanged.
Image flatten_alpha(Image image);

// Undoes an EXIF orientation, 1 to 8: the picture as it should be seen. Other values: unchanged.
Image apply_orientation(Image image, int orientation);

// A contact sheet on white, RGB: rows may differ in length, columns are as wide as their widest picture, rows
// as high as their highest, gap pixels between neighbors and none outside. Alpha as in flatten_alpha.
Image make_grid(const std::vector<std::vector<Image>>& rows, std::int64_t gap = 4);

// ---- drawing (text.cpp) ----

// One line of ASCII (other bytes become '?') in one shade on an RGB picture, its upper left corner at (top, left); what
// falls outside is cut off. Capitals are 7 * scale pixels high. Source: stb_easy_font.
void draw_text(Image& image, std::int64_t top, std::int64_t left, const std::string& text, std::uint8_t gray,
               std::int64_t scale = 1);

}  // namespace chiaro
