#include <doctest/doctest.h>

#include <limits>

#include "engine/file_util.hpp"
#include "engine/io/h5_file.hpp"
#include "engine/io/weights_file.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"

namespace chiaro {
namespace {

using test::contains;
using test::error_of;
using test::TemporaryFolder;

WeightsFile sample() {
  WeightsFile weights;
  weights.kind = "transform_net";
  weights.architecture = R"({"width":4})";
  weights.preprocess = to_json(Preprocess{});
  weights.provenance = R"({"source":"test"})";
  weights.parameters = {{"conv1.weight", {2, 1, 1, 3}, {1, 2, 3, 4, 5, 6.1f}}, {"bias", {2}, {-1, 0.5f}}};
  return weights;
}

TEST_CASE("weights_file: what was written is read back, in order") {
  const TemporaryFolder folder;
  const auto path = folder / "model.h5";
  write_weights(path, sample());
  CHECK(is_native(path));
  const WeightsFile read = read_weights(path);
  CHECK(read.kind == "transform_net");
  CHECK(read.architecture == R"({"width":4})");
  CHECK(read.provenance == R"({"source":"test"})");
  CHECK(parse_preprocess(read.preprocess, "x") == Preprocess{});
  REQUIRE(read.parameters.size() == 2);
  CHECK(read.parameters[0].name == "conv1.weight");
  CHECK(read.parameters[0].shape == std::vector<std::int64_t>{2, 1, 1, 3});
  CHECK(read.parameters[0].values == sample().parameters[0].values);
  CHECK(read.find("bias")->values == std::vector<float>{-1, 0.5f});
  CHECK(read.find("absent") == nullptr);
  CHECK(folder.entries() == 1);
}

TEST_CASE("weights_file: half precision rounds the values and nothing else") {
  const TemporaryFolder folder;
  write_weights(folder / "model.h5", sample(), true);
  const WeightsFile read = read_weights(folder / "model.h5");
  CHECK(read.parameters[0].values == std::vector<float>{1, 2, 3, 4, 5, 6.1015625f});
}

TEST_CASE("weights_file: a tensor beyond the range of half precision stays in single precision") {
  const TemporaryFolder folder;
  WeightsFile weights = sample();
  weights.parameters.push_back({"variance", {2}, {85971.875f, 0.1f}});
  write_weights(folder / "model.h5", weights, true);
  const WeightsFile read = read_weights(folder / "model.h5");
  CHECK(read.parameters[0].values.back() == 6.1015625f);
  CHECK(read.find("variance")->values == std::vector<float>{85971.875f, 0.1f});
}

TEST_CASE("weights_file: the same contents give the same bytes") {
  const TemporaryFolder folder;
  write_weights(folder / "a.h5", sample());
  write_weights(folder / "b.h5", sample());
  CHECK(read_text(folder / "a.h5") == read_text(folder / "b.h5"));
}

TEST_CASE("weights_file: preprocessing survives JSON and refuses what the engine does not feed") {
  const Preprocess torch = {{123.675, 116.28, 103.53}, {1 / 58.395, 1 / 57.12, 1 / 57.375}, "torch"};
  CHECK(parse_preprocess(to_json(torch), "x") == torch);
  CHECK(parse_preprocess(R"({"mean":[1,2,3],"scale":2})", "x").scale == std::array<double, 3>{2, 2, 2});
  CHECK(error_of([] { parse_preprocess(R"({"channels":"BGR"})", "a.h5"); }) ==
        "a.h5: preprocess asks for channels \"BGR\" and range 255, expected \"RGB\" and 255");
  CHECK(error_of([] { parse_preprocess(R"({"mean":[1,2]})", "a.h5"); }) ==
        "a.h5: preprocess.mean is [1,2], expected a number or a list of three");
  CHECK(error_of([] { parse_preprocess("{", "a.h5"); }) == "a.h5: preprocess is not a JSON object");
}

// A file whose attributes a test chooses.
void write_header(const std::filesystem::path& path, const std::string& format, std::int64_t version,
                  const std::string& kind, const std::string& architecture = "{}") {
  H5Writer out(path);
  out.attribute("/", "format", format);
  out.attribute("/", "version", version);
  out.attribute("/", "kind", kind);
  out.attribute("/", "architecture", architecture);
  out.attribute("/", "preprocess", "{}");
  out.attribute("/", "provenance", "{}");
  out.group("parameters");
  out.close();
}

TEST_CASE("weights_file: wrong files are refused with what was found and expected") {
  const TemporaryFolder folder;
  const auto path = folder / "model.h5";
  const auto message = [&] { return error_of([&] { read_weights(path); }).substr(path.string().size()); };
  write_header(path, "chiaro_weights", 1, "vgg19");
  CHECK(error_of([&] { read_weights(path); }).empty());
  write_header(path, "other", 1, "vgg19");
  CHECK_FALSE(is_native(path));
  CHECK(
      message() ==
      ": is HDF5, but not a chiaro weights file (no attribute format = \"chiaro_weights\"); convert it with "
      "import_weights");
  write_header(path, "chiaro_weights", 2, "vgg19");
  CHECK(message() == ": weights format version 2, this program reads version 1; use a newer chiaro");
  write_header(path, "chiaro_weights", 1, "vgg11");
  CHECK(error_of([&] { read_weights(path); }).empty());  // which kinds there are is not this file's business
  write_header(path, "chiaro_weights", 1, "vgg19", "{\"width\":");
  CHECK(message() == ": attribute 'architecture' is not a JSON object");
  write_text(path, "<html>");
  CHECK_FALSE(is_native(path));
  CHECK(contains(message(), "it is a web page (HTML)"));
}

TEST_CASE("weights_file: nothing is written when the contents are wrong") {
  const TemporaryFolder folder;
  const auto path = folder / "model.h5";
  WeightsFile weights = sample();
  weights.parameters[1].values[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(error_of([&] { write_weights(path, weights); }), "tensor 'bias' holds NaN or infinity"));
  weights = sample();
  weights.parameters[1].name = "conv1.weight";
  CHECK(contains(error_of([&] { write_weights(path, weights); }), "two tensors are named 'conv1.weight'"));
  weights = sample();
  weights.parameters[1].shape = {3};
  CHECK(contains(error_of([&] { write_weights(path, weights); }), "of shape (3) given 2 values"));
  CHECK(folder.entries() == 0);
}

TEST_CASE("weights_file: a file cut off anywhere is an error, never a crash") {
  const TemporaryFolder folder;
  write_weights(folder / "whole.h5", sample());
  const std::string whole = read_text(folder / "whole.h5");
  for (std::size_t length = 0; length < whole.size(); length += 1 + whole.size() / 61) {
    CAPTURE(length);
    write_text(folder / "cut.h5", whole.substr(0, length));
    CHECK_FALSE(error_of([&] { read_weights(folder / "cut.h5"); }).empty());
  }
}

}  // namespace
}  // namespace chiaro
