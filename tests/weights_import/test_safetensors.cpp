#include "weights_import/files/safetensors.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <limits>

#include "engine/file_util.hpp"
#include "engine/io/file_kind.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/weights_import/network_of_kind.hpp"
#include "tests/weights_import/python_files.hpp"

namespace chiaro {
namespace {

using test::contains;
using test::error_of;
using test::same_bits;
using test::TemporaryFolder;
using Dims = std::vector<std::int64_t>;

constexpr const char* kTypesFile = "weights_import/data/types.safetensors";

// Without the flush of write_text.
void put(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), std::ssize(bytes));
}

std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> 8 * i & 0xff);
  return bytes + header + std::string(data_bytes, '\0');
}

TEST_CASE("safetensors: a file of the Python package, every type") {
  const auto file = test::safetensors_of(kTypesFile);
  CHECK(file->format() == "safetensors");
  CHECK(file->metadata() == SafetensorsMetadata{{"made_by", "make_safetensors_files.py \u2713"}});
  REQUIRE(file->tensors().size() == 12);
  for (std::size_t n = 0; n < file->tensors().size(); ++n) {
    const TensorInfo& info = file->tensors()[n];
    CAPTURE(info.name);
    const std::vector<float> values = file->read(n);
    if (info.name == "empty") {
      CHECK(info.shape == Dims{0, 3});
      CHECK(values.empty());
    } else if (info.name == "scalar") {
      CHECK(info.shape == Dims{});
      CHECK(values == std::vector<float>{7});
    } else {
      CHECK(info.name == element_name(info.type));
      CHECK(info.shape == Dims{2, 3, 4});
      std::vector<float> expected(24);
      for (int i = 0; i < 24; ++i) {
        const int value = i * 37 % 101 - (info.name == "uint8" ? 0 : 50);
        expected[i] = info.name == "bool" ? static_cast<float>(value > 0) : static_cast<float>(value);
      }
      CHECK(values == expected);
    }
  }
}

TEST_CASE("safetensors: what is written comes back bit for bit, and the same bytes each time") {
  const TemporaryFolder folder;
  const std::vector<NamedTensor> tensors = {
      {"a.weight", {2, 1, 3}, {1.5f, -0.f, 3e38f, -1e-42f, std::numeric_limits<float>::infinity(), 0.1f}},
      {"scalar", {}, {42}},
      {"empty", {0, 5}, {}},
      {"\u00fcmlaut \"quoted\"", {1}, {-65504}}};
  const SafetensorsMetadata metadata = {{"format", "pt"}, {"note", "line\nbreak \u2713"}};
  write_safetensors(folder / "a", tensors, metadata);
  const auto file = test::safetensors_of(folder / "a");
  CHECK(file->metadata() == metadata);
  REQUIRE(file->tensors().size() == tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CHECK(file->tensors()[i].name == tensors[i].name);
    CHECK(file->tensors()[i].shape == tensors[i].shape);
    CHECK(same_bits(file->read(i), tensors[i].values));
  }
  const std::string bytes = read_text(folder / "a");
  CHECK(static_cast<unsigned char>(bytes[0]) % 8 == 0);
  CHECK(bytes[8] == '{');
  write_safetensors(folder / "b", tensors, metadata);
  CHECK(read_text(folder / "b") == bytes);
  CHECK(folder.entries() == 2);

  const std::vector<NamedTensor> halves = {{"h", {5000}, std::vector<float>(5000, 0.1f)},
                                           {"i", {2}, {2048, -3}}};
  write_safetensors(folder / "half", halves, {}, /*half=*/true);
  const auto half = test::safetensors_of(folder / "half");
  CHECK(half->tensors()[0].type == ElementType::F16);
  CHECK(half->read(0) == std::vector<float>(5000, 0.0999755859375f));
  CHECK(half->read(1) == std::vector<float>{2048, -3});

  // What half precision cannot hold stays as it is.
  write_safetensors(folder / "mixed", std::vector<NamedTensor>{{"a", {1}, {65520}}, {"b", {1}, {0.1f}}}, {},
                    /*half=*/true);
  const auto mixed = test::safetensors_of(folder / "mixed");
  CHECK(mixed->read(0) == std::vector<float>{65520});
  CHECK(mixed->tensors()[0].type == ElementType::F32);
  CHECK(mixed->read(1) == std::vector<float>{0.0999755859375f});
}

TEST_CASE("safetensors: the writer refuses what no file can say") {
  const TemporaryFolder folder;
  const auto message = [&](const std::vector<NamedTensor>& tensors) {
    return error_of([&] { write_safetensors(folder / "x", tensors, {}); })
        .substr((folder / "x").string().size());
  };
  CHECK(message({{"a", {1}, {1}}, {"a", {1}, {1}}}) == ": two tensors are named 'a'");
  CHECK(message({{"a", {2}, {1}}}) == ": tensor 'a' has 1 values, its shape needs 2");
  CHECK(message({{"", {1}, {1}}}) == ": '' cannot name a tensor");
  CHECK(message({{"__metadata__", {1}, {1}}}) == ": '__metadata__' cannot name a tensor");
  CHECK(message({{"\xff", {1}, {1}}}) ==
        ": cannot be written: a name or an entry of the metadata is not UTF-8 text");
  CHECK(contains(error_of([&] { write_safetensors(folder / "no/x", {}, {}); }), "folder"));
  CHECK(folder.entries() == 0);
}

TEST_CASE("safetensors: a file cut off anywhere is an error") {
  const TemporaryFolder folder;
  const std::string whole = read_text(kTypesFile);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    put(folder / "cut", whole.substr(0, length));
    CHECK(contains(error_of([&] { test::safetensors_of(folder / "cut"); }), "the file is cut short"));
  }
  put(folder / "cut", whole + '\0');
  CHECK(contains(error_of([&] { test::safetensors_of(folder / "cut"); }),
                 "1 bytes behind the last tensor belong to none"));
}

TEST_CASE("safetensors: any changed byte gives an error or tensors, never a crash") {
  const TemporaryFolder folder;
  const std::string whole = read_text(kTypesFile);
  const std::size_t header =
      8 + static_cast<unsigned char>(whole[0]) + 256u * static_cast<unsigned char>(whole[1]);
  for (std::size_t at = 0; at < header; ++at) {
    for (const char byte : {'\0', '"', '9', '{', '\xff'}) {
      std::string damaged = whole;
      damaged[at] = byte;
      put(folder / "damaged", damaged);
      CAPTURE(at);
      CHECK_NOTHROW(error_of([&] {
        const auto file = test::safetensors_of(folder / "damaged");
        for (std::size_t i = 0; i < file->tensors().size(); ++i) file->read(i);
      }));
    }
  }
}

TEST_CASE("safetensors: one message per mistake") {
  const TemporaryFolder folder;
  const auto path = folder / "x.safetensors";
  const auto message = [&](const std::string& bytes) {
    put(path, bytes);
    return error_of([&] { test::safetensors_of(path); }).substr(path.string().size() + 2);
  };
  const std::string damaged = "the safetensors header is damaged: ";
  const auto refusal = [&](const std::string& header, std::size_t data_bytes = 0) {
    const std::string text = message(file_of(header, data_bytes));
    return text.starts_with(damaged) ? text.substr(damaged.size()) : text;
  };
  const auto tensor = [](const char* name, const char* type, const char* shape, const char* offsets) {
    return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, type, shape, offsets);
  };
  const std::string a = tensor("a", "F32", "[2]", "[0,8]");

  CHECK(message("12345") ==
        "ends after 5 bytes, but the length of the safetensors header would need 8 bytes from "
        "byte 0 on: the file is cut short or damaged; download it again");
  CHECK(contains(message(file_of("{}", 0).substr(0, 9)),
                 "the safetensors header would need 2 bytes from byte 8 on"));
  CHECK(message("<!DOCTYPE html><html>")
            .starts_with("a safetensors header of 5789751444030890300 bytes, at most "));
  CHECK(message(file_of("{} x", 0)) ==
        "is not a safetensors file, or a damaged one: its header is not JSON at byte 12; download it again");
  CHECK(refusal("[]") == "it is a list, expected an object");
  CHECK(refusal("7") == "it is the number 7, expected an object");
  CHECK(refusal(R"({"a":null})") == "'a' is null, expected an object");
  CHECK(refusal(R"({"a":[1]})") == "'a' is a list, expected an object");
  CHECK(refusal(R"({"a":{}})") == "tensor 'a' has no 'dtype'");
  CHECK(refusal(R"({"a":{"dtype":"F32","shape":[2]}})") == "tensor 'a' has no 'data_offsets'");
  CHECK(refusal(R"({"a":{"dtype":4}})") == "'dtype' of tensor 'a' holds the number 4, expected text");
  CHECK(refusal(R"({"a":{"shape":"4"}})") ==
        "'shape' of tensor 'a' holds the text '4', expected a list of integers");
  CHECK(refusal(R"({"a":{"shape":[-1]}})") ==
        "'shape' of tensor 'a' holds the number -1, expected a list of integers");
  CHECK(refusal(R"({"a":{"shape":[1.5]}})") ==
        "'shape' of tensor 'a' holds the number 1.5, expected a list of integers");
  CHECK(refusal(R"({"a":{"shape":[true]}})") ==
        "'shape' of tensor 'a' holds a truth value, expected a list of integers");
  CHECK(refusal(R"({"a":{"shape":[[1]]}})") ==
        "'shape' of tensor 'a' holds a list, expected a list of integers");
  CHECK(refusal(R"({"a":{"shape":{}}})") ==
        "'shape' of tensor 'a' holds an object, expected a list of integers");
  CHECK(refusal(R"({"a":{"shape":3}})") ==
        "'shape' of tensor 'a' holds the number 3, expected a list of integers");
  CHECK(refusal(R"({"a":{"shape":[1,1,1,1,1,1,1,1,1]}})") == "'shape' of tensor 'a' has more than 8 numbers");
  CHECK(refusal(R"({"a":{"shape":[9223372036854775808]}})") ==
        "'shape' of tensor 'a' holds 9223372036854775808, which no file can hold");
  CHECK(refusal(R"({"a":{"order":1}})") ==
        "tensor 'a' has an unknown entry 'order', expected dtype, shape and data_offsets");
  CHECK(refusal(R"({"a":{"dtype":"F32","dtype":"F32"}})") == "tensor 'a' has two entries 'dtype'");
  CHECK(refusal("{" + a + "," + a + "}", 8) == "two tensors are named 'a'");
  CHECK(refusal(R"({"__metadata__":{"k":1}})") == "'k' of __metadata__ holds the number 1, expected text");
  CHECK(refusal(R"({"__metadata__":{"k":{}}})") == "'k' of __metadata__ holds an object, expected text");
  CHECK(refusal(R"({"__metadata__":{"k":"","k":""}})") == "two entries of __metadata__ are named 'k'");
  CHECK(refusal(R"({"a\n":{}})") == "a name holds control characters");
  CHECK(refusal("{\"" + std::string(1025, 'a') + "\":{}}") == "a name has 1025 bytes, at most 1024 are read");
  CHECK(refusal("{" + tensor("a", "F32", "[4294967296,4294967296,0]", "[0,0]") + "}") ==
        "tensor 'a' has the impossible shape (4294967296,4294967296,0)");
  CHECK(refusal("{" + tensor("a", "F32", "[2]", "[0,4]") + "}", 4) ==
        "tensor 'a' has 4 bytes, but F32 of shape (2) needs 8");
  CHECK(refusal("{" + tensor("a", "F32", "[2]", "[8,0]") + "}", 8) ==
        "data_offsets of tensor 'a' are (8,0), expected a begin and an end");
  CHECK(refusal("{" + tensor("a", "F32", "[2]", "[0,8,9]") + "}", 8) ==
        "data_offsets of tensor 'a' are (0,8,9), expected a begin and an end");
  CHECK(refusal("{" + a + "," + tensor("b", "F16", "[2]", "[4,8]") + "}", 8) ==
        "tensor 'b' begins inside another one");
  CHECK(refusal("{" + a + "," + tensor("b", "F16", "[2]", "[12,16]") + "}", 16) ==
        "4 bytes before tensor 'b' belong to none");
  CHECK(refusal("{" + a + "}", 10) == "2 bytes behind the last tensor belong to none");
  CHECK(refusal("{" + a + "}", 7) ==
        "holds 7 bytes of values, but its tensors have 8: the file is cut short; download it again");
  CHECK(error_of([] { test::safetensors_of("weights_import/data/float8.safetensors"); }) ==
        "weights_import/data/float8.safetensors: tensor 'weight' has type 'F8_E4M3', which chiaro does not "
        "read; expected one of F16, BF16, F32, F64, I8, U8, I16, I32, I64, BOOL: save the file with one of "
        "these");
  CHECK(refusal(std::string(100000, '[')) == "it is a list, expected an object");
  CHECK(message(file_of(std::string(kMaxSafetensorsHeader + 1, ' '), 0))
            .starts_with("a safetensors header of 4194305"));
  CHECK(test::safetensors_of((put(path, file_of("{}  ", 0)), path))->tensors().empty());
}

TEST_CASE("safetensors: told from its contents") {
  const TemporaryFolder folder;
  CHECK(file_kind(InputFile(kTypesFile)) == FileKind::Safetensors);
  put(folder / "cut", read_text(kTypesFile).substr(0, 20));
  CHECK(file_kind(InputFile(folder / "cut")) == FileKind::Safetensors);
  // Headers of 640 and 35615 bytes: the files begin like a pickle and like gzip.
  for (const std::size_t length : {640, 35615}) {
    put(folder / "length", file_of("{}" + std::string(length - 2, ' '), 0));
    CHECK(file_kind(InputFile(folder / "length")) == FileKind::Safetensors);
    CHECK(open_tensor_file(folder / "length")->tensors().empty());
  }
  for (const char* text :
       {"", "<html>{}", "{\"json\": \"not safetensors\"}", "PK\x03\x04 a zip archive {}"}) {
    put(folder / "other", text);
    CHECK(file_kind(InputFile(folder / "other")) != FileKind::Safetensors);
  }
}

}  // namespace
}  // namespace chiaro
