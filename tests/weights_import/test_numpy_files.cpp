#include <doctest/doctest.h>

#include <string>

#include "tests/weights_import/python_files.hpp"
#include "weights_import/files/numpy.hpp"

namespace chiaro {
namespace {

using namespace std::string_literals;
using test::contains;
using test::error_of;
using test::names_of;
using test::problem_of;
using test::python_file;
using test::ramp;
using test::TemporaryFolder;
using test::values_of;
using Extents = std::vector<std::int64_t>;
using Values = std::vector<float>;

std::string little(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

// A .npy file with this literal as header.
std::string npy(const std::string& literal, const std::string& data, int version = 1) {
  return "\x93NUMPY"s + static_cast<char>(version) + '\0' + little(literal.size(), version == 1 ? 2 : 4) +
         literal + data;
}
const std::string kObject = "{'descr': '|O', 'fortran_order': False, 'shape': (), }      \n";

TEST_CASE("numpy_files: a network from every protocol of Python 3") {
  for (const std::string name :
       {"network_p2.npy", "network_p3.npy", "network_p4.npy", "network_p5.npy", "network_saved.npy"}) {
    CAPTURE(name);
    const auto file = open_tensor_file(python_file(name));
    CHECK(file->format() == "NumPy dictionary");
    CHECK(names_of(*file) ==
          std::vector<std::string>{"conv1/weights", "conv1/biases", "bn_conv1/scale", "bn_conv1/offset",
                                   "bn_conv1/mean", "bn_conv1/variance", "orders/fortran", "orders/big",
                                   "orders/double", "orders/half", "orders/short", "orders/byte",
                                   "orders/bool", "orders/scalar", "orders/empty", "direct"});
    CHECK(file->find("conv1/weights")->shape == Extents{1, 2, 3, 4});
    CHECK(values_of(*file, "conv1/weights") == ramp(24));
    CHECK(values_of(*file, "conv1/biases") == ramp(4, 100));
    CHECK(values_of(*file, "bn_conv1/scale") == ramp(4));
    CHECK(values_of(*file, "bn_conv1/offset") == ramp(4, 10));
    CHECK(values_of(*file, "bn_conv1/mean") == ramp(4, 20));
    CHECK(values_of(*file, "bn_conv1/variance") == ramp(4, 30));
    CHECK(file->find("orders/fortran")->shape == Extents{2, 3});
    CHECK(values_of(*file, "orders/fortran") == ramp(6));
    CHECK(values_of(*file, "orders/big") == ramp(6));
    CHECK(file->find("orders/double")->type == ElementType::F64);
    CHECK(values_of(*file, "orders/double") == ramp(6));
    CHECK(values_of(*file, "orders/half") == ramp(6));
    CHECK(values_of(*file, "orders/short") == ramp(6, -3));
    CHECK(values_of(*file, "orders/byte") == ramp(256));
    CHECK(values_of(*file, "orders/bool") == Values{1, 0});
    CHECK(file->find("orders/scalar")->shape.empty());
    CHECK(values_of(*file, "orders/scalar") == Values{5});
    CHECK(file->find("orders/empty")->shape == Extents{0, 3});
    CHECK(values_of(*file, "orders/empty").empty());
    CHECK(values_of(*file, "direct") == ramp(3));
  }
}

TEST_CASE("numpy_files: a network from Python 2") {
  const auto file = open_tensor_file(python_file("network_python2.npy"));
  CHECK(names_of(*file) == std::vector<std::string>{"conv1/weights", "conv1/biases", "orders/fortran"});
  CHECK(file->find("conv1/weights")->shape == Extents{1, 2, 3, 4});
  CHECK(values_of(*file, "conv1/weights") == ramp(24));
  CHECK(values_of(*file, "conv1/biases") == ramp(4, 100));
  CHECK(values_of(*file, "orders/fortran") == ramp(6));
}

// {"a": an array of n bytes, 0 1 2 ... 255 0 1 ...} by a pickle whose values are `bytes`.
std::string byte_array(std::int64_t n, const std::string& bytes) {
  return "\x80\x02}U\x01"
         "acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01"
         "b\x87R(K\x01J"s +
         little(static_cast<std::uint64_t>(n), 4) +
         "\x85"
         "cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"s +
         bytes + "tbs.";
}

TEST_CASE("numpy_files: arrays too long to keep in memory, as bytes and as Latin-1 text") {
  constexpr std::int64_t kCount = 150001;
  std::string bytes, utf8;
  Values expected;
  for (std::int64_t i = 0; i < kCount; ++i) {
    const auto value = static_cast<unsigned>(i % 256);
    expected.push_back(static_cast<float>(value));
    bytes += static_cast<char>(value);
    if (value >= 0x80) utf8 += static_cast<char>(0xc0 | value >> 6);
    utf8 += static_cast<char>(value < 0x80 ? value : 0x80 | (value & 63));
  }
  const auto encoded = [](const std::string& text) {
    return "c_codecs\nencode\nX" + little(text.size(), 4) + text + "U\x06latin1\x86R";
  };
  const TemporaryFolder folder;
  const auto write = [&](const std::string& data) {
    write_text(folder / "a.npy", npy(kObject, byte_array(kCount, data)));
    return open_tensor_file(folder / "a.npy");
  };
  CHECK(write("T" + little(bytes.size(), 4) + bytes)->read(0) == expected);
  CHECK(write(encoded(utf8))->read(0) == expected);

  CHECK(
      contains(error_of([&] { write("T" + little(bytes.size() - 1, 4) + bytes.substr(1)); }),
               "array 'a' has shape (150001), strides (1) and offset 0, but only 150000 numbers are there"));
  CHECK(contains(error_of([&] { write("T" + little(bytes.size() + 1, 4) + bytes + "x"); }),
                 "array 'a' has shape (150001) of uint8, but 150002 bytes"));
  // Text of the right order of length is decoded only when it is read.
  CHECK(contains(error_of([&] { write(encoded(utf8 + "x"))->read(0); }),
                 "is not the Latin-1 text of 150001 bytes"));
  CHECK(contains(error_of([&] { write(encoded(utf8.substr(1)))->read(0); }),
                 "has 150000 bytes, expected 150001"));
  CHECK(contains(error_of([&] { write(encoded("\xe2\x82\xac" + utf8.substr(3)))->read(0); }),
                 "is not the Latin-1 text"));
  CHECK(contains(error_of([&] { write("X" + little(utf8.size(), 4) + utf8); }),
                 "the values of array 'a' are text, expected bytes"));
}

TEST_CASE("numpy_files: what is no dictionary of arrays is refused by what it is") {
  CHECK(problem_of("plain.npy") ==
        "is a plain array of type '<f4' and shape (2,3), expected a dictionary of arrays, saved with "
        "np.save(path, {layer: {name: array}})");
  CHECK(contains(problem_of("objects.npy"), "is an array of objects of shape (2), expected a dictionary"));
  CHECK(contains(problem_of("structured.npy"), "the header of the .npy file has a structured type"));
  CHECK(contains(problem_of("list.npy"), "layer 'conv1' is a list, expected a dictionary of arrays"));
  CHECK(contains(problem_of("deeper.npy"), "'a/b' is a dictionary, expected an array"));
  CHECK(contains(problem_of("empty.npy"), "holds a dictionary without arrays"));
  CHECK(contains(problem_of("complex.npy"), "array 'a' has the type 'c16', expected f2, f4"));
  CHECK(problem_of("hostile.npy") ==
        "the pickle wants posix.system, which a weights file has no use for: refused");
}

TEST_CASE("numpy_files: a file cut short at any byte is refused") {
  for (const std::string name :
       {"network_python2.npy", "network_p2.npy", "network_p4.npy", "network_p5.npy"}) {
    test::check_every_truncation(name);
  }
}

TEST_CASE("numpy_header: versions, types and shapes") {
  const TemporaryFolder folder;
  const auto header = [&](const std::string& literal, int version = 1) {
    write_text(folder / "a.npy", npy(literal, "data", version));
    return read_numpy_header(InputFile(folder / "a.npy"));
  };
  for (const int version : {1, 2, 3}) {
    const std::string literal = "{\"shape\": (2L, 3), 'fortran_order':True,'descr' : '<f4'} \n";
    const NumpyHeader found = header(literal, version);
    CHECK(found.descr == "<f4");
    CHECK(found.fortran_order);
    CHECK(found.shape == Extents{2, 3});
    CHECK(found.data_offset == (version == 1 ? 10 : 12) + std::ssize(literal));
  }
  CHECK(header("{'descr': 'O', 'fortran_order': False, 'shape': (7,)}").shape == Extents{7});
  CHECK(header(kObject).shape.empty());

  const auto problem = [&](const std::string& literal) {
    const std::string message = error_of([&] { header(literal); });
    const std::string prefix = (folder / "a.npy").string() + ": the header of the .npy file ";
    CHECK(message.starts_with(prefix));
    return message.substr(std::min(prefix.size(), message.size()));
  };
  const std::string good = "'descr': '|O', 'fortran_order': False, 'shape': ()";
  CHECK(problem("") == "is malformed: expected '{' before ''");
  CHECK(problem("{" + good) == "is malformed: expected ',' before ''");
  CHECK(problem("{" + good + ", 'x': 1}") == "has the unknown key 'x'");
  CHECK(problem("{" + good + ", 'shape': ()}") == "has the key 'shape' twice");
  CHECK(problem("{" + good + "} + 1") == "goes on behind its dictionary");
  CHECK(problem("{'descr': '|O', 'shape': ()}") == "lacks descr, fortran_order or shape");
  CHECK(problem("{'descr': '|O}") == "is malformed: a text has no end");
  CHECK(problem("{descr: '|O'}") == "is malformed: expected a quoted text");
  CHECK(problem("{'fortran_order': 0}") == "has a fortran_order that is neither True nor False");
  CHECK(problem("{'shape': (-1,)}") == "is malformed: expected an extent");
  CHECK(problem("{'shape': (99999999999999999999,)}") == "is malformed: expected an extent");
  CHECK(problem("{'shape': (" + std::string(66, '1') + ")}") == "is malformed: expected an extent");
  std::string many;
  for (int i = 0; i < 33; ++i) many += "1,";
  CHECK(problem("{'shape': (" + many + ")}") == "has more than 32 extents");
  CHECK(contains(error_of([&] { header(kObject, 4); }),
                 "is a .npy file of version 4.0, expected 1.0, 2.0 or 3.0"));
  CHECK(contains(error_of([&] { header(std::string(65537, ' '), 2); }),
                 "has 65537 bytes, expected at most 65536"));
  write_text(folder / "a.npy", npy(kObject, "").substr(0, 30));
  CHECK(contains(error_of([&] { read_numpy_header(InputFile(folder / "a.npy")); }), "ends after 30 bytes"));
}

}  // namespace
}  // namespace chiaro
