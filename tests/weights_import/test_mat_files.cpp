#include <doctest/doctest.h>

#include <functional>

#include "tests/fuzz/memory_path.hpp"
#include "tests/support/compare.hpp"
#include "tests/weights_import/matlab_files.hpp"
#include "weights_import/files/mat_file.hpp"

namespace chiaro {
namespace {

using test::contains;
using test::error_of;
using test::matlab_file;
using test::open_matlab;
using test::TemporaryFolder;
using test::unpacked;
using Floats = std::vector<float>;
using Extents = std::vector<std::int64_t>;

const MatValue& variable(const MatFile& file, const std::string& name) {
  const MatValue* value = file.variables().field(name);
  REQUIRE_MESSAGE(value != nullptr, name);
  return *value;
}
Floats floats(const MatFile& file, const std::string& name) {
  return file.floats(variable(file, name));
}

void read_everything(const MatFile& file, const MatValue& value) {
  if (value.kind == MatKind::Numbers && !value.payload.complex) {
    CHECK(file.floats(value).size() == static_cast<std::size_t>(value.count()));
  }
  for (const MatValue& item : value.items) read_everything(file, item);
}

TEST_CASE("mat_files: MATLAB 5 in both byte orders, plain and compressed") {
  for (const char* name : {"features_le.mat", "features_be.mat", "features_be_packed.mat"}) {
    CAPTURE(name);
    const MatFile file = open_matlab(matlab_file(name));
    CHECK(file.format() == "MATLAB 5");
    CHECK(variable(file, "narrow").shape == Extents{2, 3});
    CHECK(floats(file, "narrow") == Floats{0, 1, 2, 10, 11, 12});
    CHECK(floats(file, "scalar") == Floats{7});
    CHECK(floats(file, "single") == Floats{0, 0.5, 1, 5, 5.5, 6});
    CHECK(floats(file, "double") == Floats{0, 0.25, 0.5, 2.5, 2.75, 3});
    for (const char* type : {"int8", "int16", "int32", "int64"}) {
      CHECK(variable(file, type).type == type);
      // Written from numpy's (2,2,2) array of -4..3, so row-major again.
      CHECK(floats(file, type) == Floats{-4, -3, -2, -1, 0, 1, 2, 3});
    }
    CHECK(floats(file, "uint8") == Floats{128});
    CHECK(floats(file, "uint16") == Floats{32768});
    CHECK(floats(file, "uint32") == Floats{2147483648.0f});
    CHECK(floats(file, "uint64") == Floats{9223372036854775808.0f});
    CHECK(floats(file, "logical") == Floats{1, 0});
    CHECK(floats(file, "empty").empty());
    CHECK(variable(file, "utf16").text == "Grüße");
    CHECK(variable(file, "utf8").text == "abc");
    CHECK(variable(file, "units").text == "Hi");
    CHECK(floats(file, "last") == Floats{42});
    CHECK(floats(file, "narrow") == Floats{0, 1, 2, 10, 11, 12});  // going back
  }
}

TEST_CASE("mat_files: cells and structs of MATLAB 5, and what is not read") {
  for (const char* name : {"features_le.mat", "features_be_packed.mat"}) {
    const MatFile file = open_matlab(matlab_file(name));
    const MatValue& pair = variable(file, "pair");
    REQUIRE(pair.kind == MatKind::Cell);
    REQUIRE(pair.items.size() == 2);
    CHECK(file.floats(pair.items[0]) == Floats{5});
    REQUIRE(pair.items[1].field("deep") != nullptr);
    CHECK(pair.items[1].field("deep")->text == "x");
    CHECK(mat_records(pair).size() == 1);
    const auto list = mat_records(variable(file, "list"));
    REQUIRE(list.size() == 2);
    CHECK(file.floats(*list[0].field("x")) == Floats{1});
    CHECK(file.floats(*list[0].field("y")) == Floats{2});
    CHECK(file.floats(*list[1].field("x")) == Floats{3});
    CHECK(list[1].field("y")->count() == 0);
    CHECK(list[1].field("z") == nullptr);
    for (const char* other : {"sparse", "object", "opaque"}) {
      CHECK(variable(file, other).kind == MatKind::Other);
      CHECK(contains(
          error_of([&] { floats(file, other); }),
          "holds a value of class " + std::string(other) + " where an array of real numbers was expected"));
    }
    CHECK(contains(error_of([&] { floats(file, "handle"); }), "a value of class function_handle"));
    CHECK(contains(error_of([&] { floats(file, "complex"); }), "holds complex numbers"));
  }
}

TEST_CASE("mat_files: MATLAB 7.3") {
  const TemporaryFolder folder;
  const MatFile file = open_matlab(unpacked("features_v73.mat", folder));
  CHECK(file.format() == "MATLAB 7.3");
  CHECK(variable(file, "single").shape == Extents{2, 3});
  CHECK(floats(file, "single") == Floats{0, 0.5, 1, 5, 5.5, 6});
  CHECK(floats(file, "int16") == Floats{-4, -3, -2, -1, 0, 1, 2, 3});
  CHECK(floats(file, "uint64") == Floats{9223372036854775808.0f});
  CHECK(variable(file, "utf16").text == "Grüße");
  CHECK(variable(file, "none").text.empty());
  CHECK(variable(file, "nothing").items.empty());
  const MatValue& pair = variable(file, "pair");
  REQUIRE(pair.items.size() == 2);
  CHECK(file.floats(pair.items[0]) == Floats{5});
  CHECK(pair.items[1].field("deep")->text == "x");
  const auto list = mat_records(variable(file, "list"));
  REQUIRE(list.size() == 2);
  CHECK(file.floats(*list[1].field("x")) == Floats{3});
  CHECK(list[0].text("y") == "a");
  CHECK(list[1].text("y") == "b");
  CHECK(variable(file, "handle").kind == MatKind::Other);
  CHECK(variable(file, "sparse").type == "sparse");
  CHECK(file.variables().field("#refs#") == nullptr);
}

TEST_CASE("mat_files: other files are named as what they are") {
  const TemporaryFolder folder;
  CHECK(contains(
      error_of([] { open_tensor_file(matlab_file("version4.mat")); }),
      "is a MATLAB 4 file, which is not supported: load it in MATLAB or Octave and save it with -v7"));
  write_text(folder / "page.mat", "<!DOCTYPE html><html></html>");
  CHECK(
      contains(error_of([&] { open_tensor_file(folder / "page.mat"); }),
               "page.mat: no weights can be read from it: it is a web page (HTML): the download went wrong"));
  std::string bytes = read_text(matlab_file("features_le.mat"));
  bytes[125] = 3;
  write_text(folder / "future.mat", bytes);
  CHECK(contains(error_of([&] { open_matlab(folder / "future.mat"); }),
                 "is a MATLAB file of version 3.0, expected 1.0"));
  bytes[126] = '?';
  write_text(folder / "order.mat", bytes);
  CHECK(contains(error_of([&] { open_matlab(folder / "order.mat"); }), "its byte order is not marked"));
}

// Changes the bytes of a file and returns what reading all of it says.
std::string error_after(const std::string& name, const std::function<void(std::string&)>& change) {
  std::string bytes = read_text(matlab_file(name));
  change(bytes);
  const MemoryFile changed(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return error_of([&] {
    const MatFile file = open_matlab(changed.path());
    read_everything(file, file.variables());
  });
}

TEST_CASE("mat_files: a file cut short anywhere is an error or has fewer variables") {
  for (const char* name : {"features_le.mat", "features_be_packed.mat"}) {
    const std::size_t size = read_text(matlab_file(name)).size();
    const std::size_t variables = open_matlab(matlab_file(name)).variables().fields.size();
    std::size_t accepted = 0;
    for (std::size_t length = 0; length < size; ++length) {
      accepted += error_after(name, [&](std::string& bytes) { bytes.resize(length); }).empty();
    }
    CHECK(accepted == variables);  // cut between two variables, or before the first
  }
}

TEST_CASE("mat_files: damaged bytes never do more than throw Error") {
  for (const char* name : {"features_le.mat", "features_be_packed.mat"}) {
    const std::size_t size = read_text(matlab_file(name)).size();
    std::size_t noticed = 0;
    for (std::size_t at = 0; at < size; ++at) {
      for (const char flip : {'\x01', '\xff'}) {
        noticed += !error_after(name, [&](std::string& bytes) {
                      bytes[at] = static_cast<char>(bytes[at] ^ flip);
                    }).empty();
      }
    }
    CHECK(noticed > size / 2);
  }
  const std::string damaged =
      error_after("features_be_packed.mat", [](std::string& bytes) { bytes[136] ^= 0x10; });
  CHECK(contains(
      damaged, "the compressed data of a variable are damaged near byte 138 of the file; download it again"));
  CHECK(contains(error_after("features_be_packed.mat", [](std::string& bytes) { bytes.back() ^= 1; }),
                 "the compressed data of a variable are damaged"));  // their checksum
}

TEST_CASE("mat_files: absurd claims are refused before anything is allocated") {
  // The extents of the first variable, a 2x3 array: bytes 128 + 8 (tag) + 16 (flags) + 8 (tag of the
  // extents).
  CHECK(contains(error_after("features_le.mat", [](std::string& bytes) { bytes[163] = 0x7f; }),
                 "an array of 6392119302 numbers has 6 bytes for them, 1 each"));
  CHECK(contains(error_after("features_le.mat", [](std::string& bytes) { bytes.replace(160, 8, 8, '\x7f'); }),
                 "an array claims more than 1099511627776 elements: the file is damaged"));
  CHECK(contains(error_after("features_le.mat", [](std::string& bytes) { bytes[163] = '\xff'; }),
                 "has the extent -"));
  CHECK(contains(error_after("features_le.mat", [](std::string& bytes) { bytes[134] = 0x7f; }), "claims"));
}

}  // namespace
}  // namespace chiaro
