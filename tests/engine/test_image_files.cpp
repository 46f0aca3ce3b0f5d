#include <doctest/doctest.h>

#include <filesystem>
#include <iterator>

#include "tests/support/picture_bytes.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

std::string with_orientation(const std::string& jpeg, int orientation) {
  return with_segment(jpeg, 0xE1, std::string("Exif\0\0", 6) + orientation_block(orientation));
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
  const std::string jpeg = encoded(image, ".jpg");
  const Image plain = decode_bytes(jpeg);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string turned = with_orientation(jpeg, orientation);
    CAPTURE(orientation);
    CHECK(decode_bytes(turned) == apply_orientation(plain, orientation));
    const PictureFolder folder;
    const ImageInfo info = probe_image(folder.write("a.jpg", turned));
    CHECK(info.width == (orientation >= 5 ? 16 : 32));
    CHECK(info.height == (orientation >= 5 ? 32 : 16));
  }
  CHECK(decode_bytes(with_orientation(jpeg, 0)) == plain);
  CHECK(decode_bytes(with_orientation(jpeg, 9)) == plain);
}

TEST_CASE("image files: the EXIF orientation of a PNG is applied") {
  const Image image = smooth_image(16, 32);
  const std::string turned = with_chunk(encoded(image, ".png"), "eXIf", orientation_block(6));
  CHECK(decode_bytes(turned) == apply_orientation(image, 6));
  const PictureFolder folder;
  CHECK(probe_image(folder.write("a.png", turned)).width == 16);
}

TEST_CASE("image files: probe tells format and size by content, not by name") {
  const PictureFolder folder;
  encode_image(folder / "a.png", smooth_image(5, 9));
  std::filesystem::rename(folder / "a.png", folder / "a.jpg");
  const ImageInfo info = probe_image(folder / "a.jpg");
  CHECK(info.format == ImageFormat::Png);
  CHECK(info.height == 5);
  CHECK(info.width == 9);
}

TEST_CASE("image files: a cut PNG or JPEG is an error") {
  const std::string png = encoded(smooth_image(64, 64), ".png");
  const std::string cut_png = png.substr(0, png.size() - 30);
  CHECK(refusal_of(cut_png) ==
        fmt::format("p: the PNG data ends early ({} bytes); the file was cut off, fetch it again",
                    cut_png.size()));
  const std::string without_end = png.substr(0, png.size() - 12);  // without IEND, all pixels still there
  CHECK(decode_bytes(without_end) == decode_bytes(png));
  CHECK(notes_of(without_end) == "p: the file ends early, but all rows are there\n");
  CHECK(refusal_of(png.substr(0, 20)) ==
        "p: the file ends inside its header (20 bytes); it was cut off, fetch it again");

  const std::string jpeg = encoded(smooth_image(64, 64), ".jpg");
  const std::string cut_jpeg = jpeg.substr(0, jpeg.size() - 50);
  CHECK(refusal_of(cut_jpeg) ==
        fmt::format("p: the JPEG data ends early ({} bytes); the file was cut off, fetch it again",
                    cut_jpeg.size()));
  CHECK(refusal_of(jpeg.substr(0, 100)) ==
        "p: the file ends inside its header (100 bytes); it was cut off, fetch it again");
  CHECK(decode_bytes(jpeg + "trailing bytes") == decode_bytes(jpeg));
}

TEST_CASE("image files: what is no usable picture gets one clear line") {
  CHECK(refusal_of("") == "p: the file is empty (0 bytes); fetch it again");
  CHECK(refusal_of("<!DOCTYPE html><html>404</html>") ==
        "p: not a JPEG, PNG, WebP or BMP picture (found an HTML page); convert or remove it");
  CHECK(refusal_of("hello\n") ==
        "p: not a JPEG, PNG, WebP or BMP picture (found text); convert or remove it");
  CHECK(refusal_of("GIF89a") ==
        "p: not a JPEG, PNG, WebP or BMP picture (found a GIF file); convert or remove it");
  CHECK(refusal_of(text({1, 2, 3, 4})) ==
        "p: not a JPEG, PNG, WebP or BMP picture (found unknown binary data); convert or remove it");
  CHECK(refusal_of(png_start(0, 7, 8, 2)) ==
        "p: the PNG header says 0 x 7 pixels (width x height); replace the file");
  CHECK(refusal_of(png_start(60000, 60000, 8, 2)) ==
        "p: the PNG header says 60000 x 60000 pixels; the limit is 65536 per side and 268 million in all");
  CHECK(refusal_of(png_start(0xFFFFFFFF, 1, 8, 2)) ==
        "p: the PNG header says 4294967295 x 1 pixels; the limit is 65536 per side and 268 million in all");
  CHECK(refusal_of(png_start(4, 4, 8, 2) + png_row(text({1, 2, 3}))) ==
        "p: damaged PNG (decoder: Not enough image data); fetch it again");
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
