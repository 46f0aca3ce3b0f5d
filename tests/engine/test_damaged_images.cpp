// What is wrong with picture files is found, and what only looks wrong is not.
#include <doctest/doctest.h>

#include <filesystem>

#include "engine/data/photo_source.hpp"
#include "tests/support/picture_bytes.hpp"
#include "tests/support/real_data.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

Image noisy_image(std::int64_t height, std::int64_t width) {
  Image image(height, width, 3);
  std::uint32_t state = 1;
  for (std::uint8_t& value : image.pixels) {
    state = state * 1664525 + 1013904223;
    value = static_cast<std::uint8_t>(state >> 24);
  }
  return image;
}

std::string png_of_depth(int bits) {
  const std::string row = bits == 8 ? text({0, 1, 200, 255}) : text({0, 1, 0x12, 0x34, 0xFF, 0xFE, 0x80, 0});
  return png_start(4, 1, bits, 0) + png_row(row);
}

GrayImage gray_of(const std::string& bytes) {
  return decode_gray(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), "p");
}

}  // namespace

TEST_CASE("damaged images: every bit that changes in a PNG's data is found") {
  const std::string png = encoded(smooth_image(20, 30), ".png");
  for (std::size_t at = png.find("IDAT") + 4; at < png.size() - 12; at += 37) {
    std::string flipped = png;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    CAPTURE(at);
    CHECK(refusal_of(flipped).starts_with("p: damaged PNG ("));
  }
  std::string bad_crc = png;
  bad_crc[bad_crc.size() - 13] ^= 1;  // the last byte of the checksum before IEND
  CHECK(refusal_of(bad_crc) == "p: damaged PNG (checksum; IDAT: CRC error); fetch it again");
}

TEST_CASE("damaged images: a wrong Adler-32 under a right CRC is found") {
  std::string stream = stored(text({0, 10, 20, 30}));
  const std::string good = png_start(1, 1, 8, 2) + png_chunk("IDAT", stream) + png_chunk("IEND", "");
  CHECK(decode_bytes(good).pixels == std::vector<std::uint8_t>{10, 20, 30});
  stream.back() = static_cast<char>(stream.back() ^ 1);
  const std::string bad = png_start(1, 1, 8, 2) + png_chunk("IDAT", stream) + png_chunk("IEND", "");
  CHECK(refusal_of(bad).starts_with("p: damaged PNG (checksum; "));
}

TEST_CASE("damaged images: rows decide whether a JPEG is complete, not its end marker") {
  const std::string jpeg = encoded(noisy_image(64, 64), ".jpg");
  const Image whole = decode_bytes(jpeg);
  CHECK(notes_of(jpeg).empty());
  const std::string without = jpeg.substr(0, jpeg.size() - 2);
  for (const std::string& bytes : {without, without + std::string(40, '\0')}) {
    CHECK(decode_bytes(bytes) == whole);
    CHECK(notes_of(bytes) == "p: the end marker is missing, but all rows are there\n");
  }
  CHECK(decode_bytes(jpeg + "trailing bytes") == whole);
  CHECK(decode_bytes(without + std::string(40, '\0') + jpeg.substr(jpeg.size() - 2)) == whole);
  const std::string half = jpeg.substr(0, jpeg.size() / 2) + text({0xFF, 0xD9});
  CHECK(refusal_of(half) ==
        fmt::format("p: the JPEG data ends early ({} bytes); the file was cut off, fetch it again",
                    half.size()));
}

TEST_CASE("damaged images: damage inside a JPEG is an error") {
  const std::string jpeg = encoded(noisy_image(64, 64), ".jpg");
  std::string lost = jpeg;  // bytes in the middle of the scan are gone
  lost.erase(jpeg.size() / 2, 40);
  CHECK(refusal_of(lost).starts_with("p: "));
  CHECK(refusal_of(lost) != "no error");
  // A table of Huffman codes that claims more symbols than there are.
  std::string tables = jpeg;
  const std::size_t counts = tables.find(text({0xFF, 0xC4})) + 5;
  for (std::size_t i = 0; i < 16; ++i) tables[counts + i] = '\x7F';
  CHECK(refusal_of(tables).starts_with("p: damaged or unusual JPEG (decoder: "));
}

TEST_CASE("damaged images: a size that the bytes cannot hold is refused before it is unpacked") {
  std::string jpeg = encoded(smooth_image(16, 16), ".jpg");
  const std::size_t frame = jpeg.find(text({0xFF, 0xC0}));
  jpeg.replace(frame + 5, 4, text({0x3A, 0x98, 0x3A, 0x98}));  // 15000 x 15000
  CHECK(refusal_of(jpeg).starts_with("p: the JPEG data ends early"));
  CHECK(refusal_of(png_start(16000, 16000, 8, 2) + png_row("x")).starts_with("p: the PNG data ends early"));
}

TEST_CASE("damaged images: depth is read exactly, damaged depth is not") {
  CHECK(gray_of(png_of_depth(8)).values == std::vector<std::uint16_t>{0, 1, 200, 255});
  CHECK(gray_of(png_of_depth(16)).values == std::vector<std::uint16_t>{1, 0x1234, 0xFFFE, 0x8000});
  std::string flipped = png_of_depth(16);
  flipped[flipped.find("IDAT") + 13] ^= 1;
  CHECK_THROWS_WITH_AS(gray_of(flipped), doctest::Contains("p: damaged PNG (checksum"), Error);
}

TEST_CASE("damaged images: WebP is read, and refused where it was cut off") {
  // One pixel of lossless WebP.
  const std::string webp =
      "RIFF" + text({0x1A, 0, 0, 0}) + "WEBPVP8L" +
      text({0x0D, 0, 0, 0, 0x2F, 0, 0, 0, 0x10, 0x07, 0x10, 0x11, 0x11, 0x88, 0x88, 0xFE, 0x07, 0});
  const Image image = decode_bytes(webp);
  CHECK(image.height == 1);
  CHECK(image.width == 1);
  CHECK(refusal_of(webp.substr(0, webp.size() - 6)).starts_with("p: the WebP data ends early"));
}

TEST_CASE("damaged images: files that went wrong before") {
  const auto data = real_data();
  if (!data) return;
  const std::filesystem::path cases = *data / ".." / "cases";
  if (!std::filesystem::exists(cases)) {
    MESSAGE("skipped: no folder of cases beside CHIARO_DATA");
    return;
  }
  const auto bytes = [&](const char* name) { return contents((cases / name).string()); };
  CHECK(refusal_of(bytes("png_bitflip_05.png")).starts_with("p: damaged PNG (checksum; "));
  CHECK(refusal_of(bytes("png_bad_crc.png")).starts_with("p: damaged PNG (checksum; "));
  CHECK_THROWS_WITH_AS(gray_of(bytes("depth_bitflip_0001.png")), doctest::Contains("damaged PNG (checksum"),
                       Error);
  CHECK(notes_of(bytes("png_intact.png")).empty());
  CHECK(notes_of(bytes("noeoi.jpg")) == "p: the end marker is missing, but all rows are there\n");
  CHECK(notes_of(bytes("zeros_no_eoi.jpg")) == "p: the end marker is missing, but all rows are there\n");
  CHECK(refusal_of(bytes("half_then_eoi.jpg")).starts_with("p: the JPEG data ends early"));
  CHECK(
      refusal_of(bytes("crash_dht_11.jpg")) ==
      "p: damaged or unusual JPEG (decoder: Bogus Huffman table definition); fetch it again or save it as a plain JPEG or PNG");
  for (const char* name : {"packed_crash.h5", "packed_hang.h5"})
    CHECK_THROWS_WITH_AS(open_photo_source({(cases / name).string()}), doctest::Contains(name), Error);
  const Image upright = decode_bytes(bytes("exif6_in_png.png"));
  CHECK(upright.width == 96);
  CHECK(upright.height == 128);
  CHECK(largest_difference(decode_bytes(bytes("adobe_rgb.png")),
                           decode_bytes(bytes("adobe_rgb_as_srgb.png"))) <= 2);
}
