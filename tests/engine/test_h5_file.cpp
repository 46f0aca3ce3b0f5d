#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "engine/file_util.hpp"
#include "engine/io/h5_file.hpp"
#include "engine/io/half.hpp"
#include "engine/io/packed_images.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"

namespace chiaro {
namespace {

using test::contains;
using test::error_of;
using test::TemporaryFolder;
using Extents = std::vector<std::int64_t>;

void write_sample(const std::filesystem::path& path) {
  H5Writer out(path);
  out.floats("a/single", Extents{2, 3}, std::vector<float>{1, -2, 3.5f, 4, 5, 6});
  out.floats("a/half", Extents{2}, std::vector<float>{0.5f, -65504.0f}, H5Float::Half);
  out.floats("a/double", Extents{1}, std::vector<float>{0.25f}, H5Float::Double);
  out.doubles("a/exact", Extents{2}, std::vector<double>{0.1, 1e300});
  out.integers("z", Extents{2}, std::vector<std::int64_t>{-1, std::int64_t{1} << 60});
  out.bytes("packed", Extents{4, 2}, std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5, 254, 255}, 6);
  out.strings("names", {"", "caf\xc3\xa9", "long enough to leave the short string"});
  out.floats("scalar", Extents{}, std::vector<float>{7});
  out.floats("empty", Extents{0, 3}, std::vector<float>{});
  out.group("b/c");
  out.attribute("/", "title", "one text");
  out.attribute("a", "list", std::vector<std::string>{"x", "", "longer"});
  out.attribute("a", "none", std::vector<std::string>{});
  out.attribute("a/single", "ratio", 0.125);
  out.attribute("a/single", "count", std::int64_t{42});
  out.close();
}

TEST_CASE("h5_file: what was written is read back") {
  const TemporaryFolder folder;
  write_sample(folder / "sample.h5");
  const H5Reader in(folder / "sample.h5");
  CHECK(in.floats("a/single", Extents{2, 3}) == std::vector<float>{1, -2, 3.5f, 4, 5, 6});
  CHECK(in.floats("/a/single", Extents{-1, 3}).size() == 6);
  CHECK(in.floats("a/half") == std::vector<float>{0.5f, -65504.0f});
  CHECK(in.floats("a/double") == std::vector<float>{0.25f});
  CHECK(in.doubles("a/exact", Extents{2}) == std::vector<double>{0.1, 1e300});
  CHECK(in.integers("z") == std::vector<std::int64_t>{-1, std::int64_t{1} << 60});
  CHECK(in.bytes("packed") == std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5, 254, 255});
  CHECK(in.strings("names") ==
        std::vector<std::string>{"", "caf\xc3\xa9", "long enough to leave the short string"});
  CHECK(in.floats("scalar", Extents{}) == std::vector<float>{7});
  CHECK(in.floats("empty", Extents{0, 3}).empty());
  CHECK(in.string_attribute("/", "title") == "one text");
  CHECK(in.strings_attribute("a", "list") == std::vector<std::string>{"x", "", "longer"});
  CHECK(in.strings_attribute("a", "none").empty());
  CHECK(in.number_attribute("a/single", "ratio") == 0.125);
  CHECK(in.number_attribute("a/single", "count") == 42);
  CHECK(in.integer_attribute("a/single", "count") == 42);
}

TEST_CASE("h5_file: names are listed in the order of creation and existence is answered at any depth") {
  const TemporaryFolder folder;
  write_sample(folder / "sample.h5");
  const H5Reader in(folder / "sample.h5");
  CHECK(in.groups() == std::vector<std::string>{"a", "b"});
  CHECK(in.datasets() == std::vector<std::string>{"z", "packed", "names", "scalar", "empty"});
  CHECK(in.datasets("a") == std::vector<std::string>{"single", "half", "double", "exact"});
  CHECK(in.exists("/"));
  CHECK(in.exists("b/c"));
  CHECK_FALSE(in.exists("b/d"));
  CHECK_FALSE(in.exists("missing/deep/inside"));
  CHECK_FALSE(in.exists("z/inside_a_dataset"));
  CHECK_FALSE(in.has_attribute("a", "title"));
  CHECK_FALSE(in.has_attribute("missing", "title"));
}

// The value of a half by the definition of the format, in double.
double half_value(std::uint16_t half) {
  const int exponent = (half >> 10) & 31, mantissa = half & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

TEST_CASE("half: every finite half, the midpoints between neighbors and their surroundings round correctly") {
  std::int64_t wrong = 0;
  for (std::uint16_t half = 0; half < 0x7c00; ++half) {
    const auto below = static_cast<float>(half_value(half));
    wrong += half_to_float(half) != below || float_to_half(below) != half;
    wrong += half_to_float(half | 0x8000) != -below || float_to_half(-below) != (half | 0x8000);
    if (half == 0x7bff) break;
    const std::uint16_t next = half + 1, even = half % 2 == 0 ? half : next;
    const auto middle = static_cast<float>((half_value(half) + half_value(next)) / 2);
    wrong += float_to_half(middle) != even;
    wrong += float_to_half(std::nextafter(middle, 0.0f)) != half;
    wrong += float_to_half(std::nextafter(middle, 1e9f)) != next;
  }
  CHECK(wrong == 0);
  CHECK(float_to_half(65519.99f) == 0x7bff);
  CHECK(float_to_half(65520.0f) == 0x7c00);
  CHECK(float_to_half(-std::numeric_limits<float>::infinity()) == 0xfc00);
  CHECK(half_to_float(0x7c00) == std::numeric_limits<float>::infinity());
  CHECK(std::isnan(half_to_float(float_to_half(std::numeric_limits<float>::quiet_NaN()))));
}

TEST_CASE("h5_file: half precision rounds to nearest and refuses what does not fit") {
  const TemporaryFolder folder;
  H5Writer out(folder / "half.h5");
  const std::vector<float> values = {1.0f + 0x1.8p-11f, 1.0f + 0x1p-11f, -3.14159f, 0x1p-24f, 0.0f};
  out.floats("values", Extents{5}, values, H5Float::Half);
  const std::string error =
      error_of([&] { out.floats("large", Extents{1}, std::vector<float>{70000.0f}, H5Float::Half); });
  CHECK(contains(error, "half.h5: dataset '/large' holds 70000, beyond the 65504 of half precision"));
  out.close();
  const std::vector<float> expected = {1.0f + 0x1p-10f, 1.0f, -3.140625f, 0x1p-24f, 0.0f};
  CHECK(H5Reader(folder / "half.h5").floats("values") == expected);
}

TEST_CASE("h5_file: rows of bytes are written and read piece by piece") {
  const TemporaryFolder folder;
  for (const int gzip : {0, 4}) {
    const auto path = folder / "rows.h5";
    H5Writer out(path);
    out.create_bytes("photos", Extents{5, 2, 2}, gzip);
    out.write_byte_rows("photos", 3, 2, std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 7, 8});
    out.write_byte_rows("photos", 0, 1, std::vector<std::uint8_t>{9, 10, 11, 12});
    CHECK_THROWS_AS(out.write_byte_rows("photos", 4, 2, std::vector<std::uint8_t>(8)), Error);
    out.close();
    const H5Reader in(path);
    std::vector<std::uint8_t> rows(8);
    in.read_byte_rows("photos", 2, 2, rows);
    CHECK(rows == std::vector<std::uint8_t>{0, 0, 0, 0, 1, 2, 3, 4});
    CHECK(contains(error_of([&] { in.read_byte_rows("photos", 4, 2, rows); }),
                   "dataset '/photos' of shape (5,2,2) has no entries 4 to 5"));
  }
}

TEST_CASE("h5_file: a file appears under its name only when it is closed") {
  const TemporaryFolder folder;
  const auto path = folder / "late.h5";
  write_text(path, "the old contents");
  {
    H5Writer out(path);
    out.floats("x", Extents{1}, std::vector<float>{1});
    CHECK(read_text(path) == "the old contents");
    CHECK(folder.entries() == 2);
  }
  CHECK(read_text(path) == "the old contents");
  CHECK(folder.entries() == 1);

  H5Writer out(path);
  out.floats("x", Extents{1}, std::vector<float>{1});
  out.close();
  CHECK(folder.entries() == 1);
  CHECK(H5Reader(path).floats("x") == std::vector<float>{1});
  CHECK(contains(error_of([&] { out.group("late"); }), "late.h5: written to after close()"));
}

TEST_CASE("h5_file: the same calls give the same bytes") {
  const TemporaryFolder folder;
  write_sample(folder / "first.h5");
  write_sample(folder / "second.h5");
  CHECK(read_text(folder / "first.h5") == read_text(folder / "second.h5"));
}

TEST_CASE("h5_file: messages name the file, the object, what was found and what was expected") {
  const TemporaryFolder folder;
  const auto path = folder / "sample.h5";
  write_sample(path);
  const H5Reader in(path);
  const std::string name = path.string();
  CHECK(error_of([&] {
          in.floats("a/single", Extents{3, 2});
        }) == name + ": dataset '/a/single' has shape (2,3), expected (3,2)");
  CHECK(error_of([&] {
          in.floats("a/single", Extents{2, 3, 1});
        }) == name + ": dataset '/a/single' has shape (2,3), expected (2,3,1)");
  CHECK(error_of([&] { in.floats("a/singel"); }) ==
        name + ": no dataset '/a/singel'; did you mean 'single'?");
  CHECK(error_of([&] { in.floats("b/c"); }) == name + ": '/b/c' is not a dataset or is damaged");
  CHECK(error_of([&] { in.floats("z"); }) ==
        name + ": dataset '/z' holds integers, expected floating-point numbers");
  CHECK(error_of([&] { in.strings("z"); }) == name + ": dataset '/z' holds integers, expected strings");
  CHECK(error_of([&] { in.groups("nowhere"); }) == name + ": no group '/nowhere'");
  CHECK(error_of([&] { in.string_attribute("a", "title"); }) == name + ": '/a' has no attribute 'title'");
  CHECK(error_of([&] { in.string_attribute("a", "list"); }) ==
        name + ": attribute 'list' of '/a' has 3 values, expected 1");
  CHECK(error_of([&] { in.number_attribute("/", "title"); }) ==
        name + ": attribute 'title' of '/' holds strings, expected a number");
  CHECK(error_of([&] { H5Writer(folder / "no/such/folder.h5"); }) ==
        (folder / "no/such/folder.h5").string() + ": cannot be written: folder '" +
            (folder / "no/such").string() + "' does not exist");
}

TEST_CASE("h5_file: a file of another kind is named as what it is") {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& contents) {
    const auto path = folder / "weights.h5";
    write_text(path, contents);
    return error_of([&] { H5Reader in(path); }).substr(path.string().size());
  };
  const std::string is = ": is not an HDF5 file: it is ";
  CHECK(message("") == is + "empty");
  CHECK(message("\n<!DOCTYPE html><html>") == is + "a web page (HTML): the download went wrong");
  CHECK(message("version https://git-lfs.github.com/spec/v1\n") ==
        is + "a Git LFS pointer, not the file itself: run 'git lfs pull'");
  CHECK(message("PK\x03\x04") == is + "a zip archive (as .npz and PyTorch's .pth files are)");
  CHECK(message("\x80\x02}q") == is + "a Python pickle (as older PyTorch .pth files are)");
  CHECK(message("not found") == is + "a text file");
  CHECK(message("\x01\x02\x03") == is + "a binary file of another format");
  CHECK(error_of([&] { H5Reader in(folder / "absent.h5"); }) ==
        (folder / "absent.h5").string() + ": no such file");
  CHECK(error_of([&] { H5Reader in(folder.path()); }) ==
        folder.path().string() + ": is a folder, expected a file");
  CHECK(error_of([&] { H5Reader in("/dev/zero"); }) == "/dev/zero: is not a regular file");
  const std::string pipe = folder / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(error_of([&] { H5Reader in(pipe); }) == pipe + ": is not a regular file");
}

TEST_CASE("h5_file: a file cut off anywhere is an error, never a crash") {
  const TemporaryFolder folder;
  write_sample(folder / "whole.h5");
  const std::string whole = read_text(folder / "whole.h5");
  const auto path = folder / "cut.h5";
  for (std::size_t length = 0; length < whole.size(); length += 1 + whole.size() / 97) {
    CAPTURE(length);
    write_text(path, whole.substr(0, length));
    CHECK_FALSE(error_of([&] { H5Reader in(path); }).empty());
  }
  CHECK(contains(error_of([&] { H5Reader in(path); }), "is truncated or damaged; copy or download it again"));
}

TEST_CASE("h5_file: a dataset that claims more than the file can hold is refused before memory is taken") {
  const TemporaryFolder folder;
  const auto path = folder / "claims.h5";
  H5Writer out(path);
  out.create_bytes("huge", Extents{1 << 20, 1 << 20}, 9);  // no chunk is ever written
  out.close();
  CHECK(contains(error_of([&] { H5Reader(path).bytes("huge"); }), "more than a file of"));
}

TEST_CASE("h5_file: another file is never opened, nothing is unpacked by plugins or without a bound") {
  const std::filesystem::path folder = "engine/data";
  CHECK(PackedImages(folder / "plain.h5").read(0).pixels[47] == 47);
  CHECK(H5Reader(folder / "soft_link.h5").bytes("inside/images")[47] == 47);
  const std::pair<const char*, const char*> refused[] = {
      {"external_link", "'/images' is an external link, which is not followed: refused"},
      {"soft_link", "'/images' is a soft link, which is not followed: refused"},
      {"external_storage", "dataset '/images' keeps its values in other files: refused"},
      {"virtual", "dataset '/images' keeps its values in other files: refused"},
      {"plugin",
       "dataset '/images' is packed by HDF5 filter 32000, expected gzip: refused; save it again with gzip"},
      {"huge_chunk", "dataset '/images' claims shape (1,32768,21845,3), more than a file of"}};
  for (const auto& [name, problem] : refused) {
    const std::filesystem::path path = folder / (std::string(name) + ".h5");
    const std::string expected = path.string() + ": " + problem;
    const auto begins = [&](const std::string& message) { return message.substr(0, expected.size()); };
    CHECK(begins(error_of([&] { H5Reader(path).bytes("images"); })) == expected);
    CHECK(begins(error_of([&] { PackedImages photos(path); })) == expected);
  }
  CHECK(
      contains(error_of([&] { H5Reader(folder / "soft_link.h5").datasets(); }), "'/images' is a soft link"));
}

}  // namespace
}  // namespace chiaro
