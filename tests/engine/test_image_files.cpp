#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/image/image.hpp"
#include "kernels/base/error.hpp"
#include "tests/support/picture_folder.hpp"

using namespace chiaro;
using chiaro::test::PictureFolder;

namespace {

std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

// Checksums stay zero: the decoder does not look at them.
std::string png_chunk(const std::string& type, const std::string& data) {
  return big_endian(static_cast<std::uint32_t>(data.size())) + type + data + big_endian(0);
}

std::string png_start(std::uint32_t width, std::uint32_t height, int bits, int color_type) {
  return "\x89PNG\r\n\x1A\n" +
         png_chunk("IHDR", big_endian(width) + big_endian(height) + std::string{static_cast<char>(bits)} +
                               std::string{static_cast<char>(color_type)} + std::string(3, '\0'));
}

// One row of a PNG, uncompressed: a zlib stream of one stored block, filter type 0.
std::string png_row(const std::string& pixels) {
  const std::string row = '\0' + pixels;
  const auto size = static_cast<char>(row.size()), inverse = static_cast<char>(~row.size());
  return png_chunk("IDAT",
                   std::string("\x78\x01\x01", 3) + size + '\0' + inverse + '\xFF' + row + big_endian(0)) +
         png_chunk("IEND", "");
}

std::string text(std::initializer_list<int> bytes) {
  std::string result;
  for (const int byte : bytes) result += static_cast<char>(byte);
  return result;
}

Image decode_bytes(const std::string& bytes) {
  return decode_image(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), "p");
}

std::string refusal_of(const std::string& bytes) {
  try {
    decode_bytes(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Smooth, so that JPEG keeps it within a few levels.
Image smooth_image(std::int64_t height, std::int64_t width, int channels = 3) {
  Image image(height, width, channels, 255);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      image.at(y, x)[0] = static_cast<std::uint8_t>(40 + x * 160 / width);
      image.at(y, x)[1] = static_cast<std::uint8_t>(40 + y * 160 / height);
      image.at(y, x)[2] = 90;
    }
  }
  return image;
}

int largest_difference(const Image& a, const Image& b) {
  int largest = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    largest = std::max(largest, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  }
  return largest;
}

std::string jpeg_bytes(const Image& image) {
  const PictureFolder folder;
  encode_image(folder / "a.jpg", image);
  return contents(folder / "a.jpg");
}

// The same JPEG with an EXIF block that holds only the orientation.
std::string with_orientation(const std::string& jpeg, int orientation) {
  const std::string tiff = std::string("MM\0*\0\0\0\x08", 8) + text({0, 1}) +            // one entry:
                           text({0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0}) +  // SHORT
                           std::string(4, '\0');
  const std::string block = std::string("Exif\0\0", 6) + tiff;
  return jpeg.substr(0, 2) + text({0xFF, 0xE1, 0, static_cast<int>(block.size() + 2)}) + block +
         jpeg.substr(2);
}

}  // namespace

TEST_CASE("image files: PNG keeps every pixel, with and without alpha") {
  const PictureFolder folder;
  for (const int channels : {3, 4}) {
    Image image = smooth_image(13, 17, channels);
    if (channels == 4) image.at(3, 5)[3] = 77;
    encode_image(folder / "a.PNG", image);
    CHECK(decode_image(folder / "a.PNG") == image);
  }
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);  // no temporary left
}

TEST_CASE("image files: JPEG stays close and drops alpha") {
  const PictureFolder folder;
  const Image image = smooth_image(24, 40);
  encode_image(folder / "a.jpg", image);
  encode_image(folder / "b.jpeg", smooth_image(24, 40, 4));
  const Image read = decode_image(folder / "a.jpg");
  REQUIRE(read.channels == 3);
  CHECK(largest_difference(read, image) <= 6);
  CHECK(decode_image(folder / "b.jpeg") == read);
}

TEST_CASE("image files: gray, gray with alpha, palette and 16 bits become RGB or RGBA") {
  CHECK(decode_bytes(png_start(2, 1, 8, 0) + png_row(text({7, 200}))).pixels ==
        std::vector<std::uint8_t>{7, 7, 7, 200, 200, 200});
  CHECK(decode_bytes(png_start(1, 1, 8, 4) + png_row(text({7, 99}))).pixels ==
        std::vector<std::uint8_t>{7, 7, 7, 99});
  const std::string palette = png_chunk("PLTE", text({1, 2, 3, 40, 50, 60}));
  CHECK(decode_bytes(png_start(2, 1, 8, 3) + palette + png_row(text({1, 0}))).pixels ==
        std::vector<std::uint8_t>{40, 50, 60, 1, 2, 3});
  CHECK(decode_bytes(png_start(2, 1, 8, 3) + palette + png_chunk("tRNS", text({128})) + png_row(text({1, 0})))
            .pixels == std::vector<std::uint8_t>{40, 50, 60, 255, 1, 2, 3, 128});
  CHECK(decode_bytes(png_start(1, 1, 16, 2) + png_row(text({0x12, 0xFF, 0x34, 0, 0xAB, 0xCD}))).pixels ==
        std::vector<std::uint8_t>{0x12, 0x34, 0xAB});
}

TEST_CASE("image files: BMP is read, bottom row first") {
  const std::string header =
      "BM" + text({70, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 24, 0}) +
      std::string(24, '\0');
  const std::string rows = text({1, 2, 3, 4, 5, 6, 0, 0, 11, 12, 13, 14, 15, 16, 0, 0});
  CHECK(decode_bytes(header + rows).pixels ==
        std::vector<std::uint8_t>{13, 12, 11, 16, 15, 14, 3, 2, 1, 6, 5, 4});
  CHECK(refusal_of((header + rows).substr(0, 68)) ==
        "p: the BMP data ends early (68 bytes); the file was cut off, fetch it again");
}

TEST_CASE("image files: all eight EXIF orientations of a JPEG are applied") {
  const Image image = smooth_image(16, 32);
  const std::string jpeg = jpeg_bytes(image);
  const Image plain = decode_bytes(jpeg);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string turned = with_orientation(jpeg, orientation);
    CAPTURE(orientation);
    CHECK(decode_bytes(turned) == apply_orientation(plain, orientation));
    const PictureFolder folder;
    const ImageInfo info = probe_image(folder.write("a.jpg", turned));
    CHECK(info.width == (orientation >= 5 ? 16 : 32));
    CHECK(info.height == (orientation >= 5 ? 32 : 16));
    CHECK(info.complete);
  }
  CHECK(decode_bytes(with_orientation(jpeg, 0)) == plain);
  CHECK(decode_bytes(with_orientation(jpeg, 9)) == plain);
}

TEST_CASE("image files: probe tells format and size by content, not by name") {
  const PictureFolder folder;
  encode_image(folder / "a.png", smooth_image(5, 9));
  std::filesystem::rename(folder / "a.png", folder / "a.jpg");
  const ImageInfo info = probe_image(folder / "a.jpg");
  CHECK(info.format == ImageFormat::Png);
  CHECK(info.height == 5);
  CHECK(info.width == 9);
  CHECK(info.complete);
}

TEST_CASE("image files: a cut PNG or JPEG is an error") {
  const PictureFolder folder;
  encode_image(folder / "a.png", smooth_image(64, 64));
  const std::string png = contents(folder / "a.png");
  const std::string cut_png = png.substr(0, png.size() - 12);  // without IEND, all pixels still there
  CHECK(refusal_of(cut_png) ==
        fmt::format("p: the PNG data ends early ({} bytes); the file was cut off, fetch it again",
                    cut_png.size()));
  CHECK(refusal_of(png.substr(0, 20)) ==
        "p: the file ends inside its header (20 bytes); it was cut off, fetch it again");

  const std::string jpeg = jpeg_bytes(smooth_image(64, 64));
  const std::string cut_jpeg = jpeg.substr(0, jpeg.size() - 200);
  CHECK(refusal_of(cut_jpeg) ==
        fmt::format("p: the JPEG data ends early ({} bytes); the file was cut off, fetch it again",
                    cut_jpeg.size()));
  CHECK(refusal_of(jpeg.substr(0, jpeg.size() - 2)).starts_with("p: the JPEG data ends early"));
  CHECK(refusal_of(jpeg.substr(0, 100)) ==
        "p: the file ends inside its header (100 bytes); it was cut off, fetch it again");
  CHECK(decode_bytes(jpeg + "trailing bytes") == decode_bytes(jpeg));
}

TEST_CASE("image files: what is no usable picture gets one clear line") {
  CHECK(refusal_of("") == "p: the file is empty (0 bytes); fetch it again");
  CHECK(refusal_of("<!DOCTYPE html><html>404</html>") ==
        "p: not a JPEG, PNG or BMP picture (found an HTML page); convert or remove it");
  CHECK(refusal_of("hello\n") == "p: not a JPEG, PNG or BMP picture (found text); convert or remove it");
  CHECK(refusal_of("RIFF1234WEBPVP8 ") ==
        "p: not a JPEG, PNG or BMP picture (found a WebP file); convert or remove it");
  CHECK(refusal_of(text({1, 2, 3, 4})) ==
        "p: not a JPEG, PNG or BMP picture (found unknown binary data); convert or remove it");
  CHECK(refusal_of(text({0xFF, 0xD8, 0xFF, 0xC0, 0, 20, 8, 0, 16, 0, 16, 4})) ==
        "p: CMYK JPEG is not supported; convert it to RGB first");
  CHECK(refusal_of(png_start(0, 7, 8, 2)) ==
        "p: the PNG header says 0 x 7 pixels (width x height); replace the file");
  CHECK(refusal_of(png_start(60000, 60000, 8, 2)) ==
        "p: the PNG header says 60000 x 60000 pixels; the limit is 65536 per side and 268 million in all");
  CHECK(refusal_of(png_start(0xFFFFFFFF, 1, 8, 2)) ==
        "p: the PNG header says 4294967295 x 1 pixels; the limit is 65536 per side and 268 million in all");
  CHECK(refusal_of(png_start(4, 4, 8, 2) + png_row(text({1, 2, 3}))) ==
        "p: damaged or unusual PNG (decoder: not enough pixels); save it again as a plain JPEG or PNG");
}

TEST_CASE("image files: errors name missing files, folders and extensions") {
  const PictureFolder folder;
  const std::string missing = folder / "none.jpg";
  CHECK_THROWS_WITH_AS(decode_image(missing), doctest::Contains(missing.c_str()), Error);
  CHECK_THROWS_WITH_AS(decode_image(missing), doctest::Contains("No such file"), Error);
  CHECK_THROWS_WITH_AS(decode_image(folder.path()), doctest::Contains("folder"), Error);
  CHECK_THROWS_WITH_AS(encode_image("a.gif", Image(1, 1, 3)),
                       "a.gif: unknown picture extension '.gif'; use .png, .jpg or .jpeg", Error);
  CHECK_THROWS_WITH_AS(encode_image(folder.path() + "/no/a.png", Image(1, 1, 3)), doctest::Contains("/no"),
                       Error);
}
