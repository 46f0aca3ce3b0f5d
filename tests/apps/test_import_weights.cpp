// The program import_weights: what it writes, and what it says when it cannot.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "engine/file_util.hpp"
#include "engine/io/weights_file.hpp"
#include "kernels/base/build_config.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "layers/networks/transform_net/transform_model.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/run_program.hpp"
#include "weights_import/random_vgg.hpp"

using namespace chiaro;
using test::contains;

namespace {

test::ProgramResult import_weights(const std::vector<std::string>& arguments) {
  return test::run_program(test::program_path("import_weights"), arguments);
}

// A narrow VGG-19 cut short: a few kilobytes.
std::filesystem::path write_small_vgg(const test::TemporaryFolder& folder) {
  const auto path = folder / "small.h5";
  write_weights(path, random_vgg(19, 4, 1, "relu2_1"));
  return path;
}

}  // namespace

TEST_CASE("import_weights: keeps the network, adds where it came from") {
  const test::TemporaryFolder folder;
  const std::string source = write_small_vgg(folder), target = folder / "out.h5";
  const auto result = import_weights({source, "--as", "vgg19", "-o", target});
  REQUIRE(result.status == 0);
  CHECK(result.err == "");
  const WeightsFile before = read_weights(source), after = read_weights(target);
  CHECK(after.kind == "vgg19");
  CHECK(after.architecture == before.architecture);
  CHECK(after.preprocess == before.preprocess);
  REQUIRE(after.parameters.size() == before.parameters.size());
  std::size_t parameters = 0;
  for (std::size_t i = 0; i < after.parameters.size(); ++i) {
    CHECK(after.parameters[i].name == before.parameters[i].name);
    CHECK(after.parameters[i].values == before.parameters[i].values);
    parameters += after.parameters[i].values.size();
  }
  const auto provenance = nlohmann::json::parse(after.provenance);
  CHECK(provenance["source_file"] == "small.h5");
  CHECK(provenance["source"] == "random");
  CHECK(result.out == fmt::format("{}: vgg19, {} parameters in {} tensors, fp32, {} bytes\n", target,
                                  parameters, after.parameters.size(), std::filesystem::file_size(target)));
}

TEST_CASE("import_weights: a model that comes with chiaro goes by its name, and -o=FILE is -o FILE") {
  const test::TemporaryFolder folder;
  const std::string target = folder / "out.h5";
  const auto result = import_weights({"base", "--as", "transform_net", "-o=" + target});
  CHECK(result.status == 0);
  CHECK(read_weights(target).kind == "transform_net");
  CHECK(test::run_program(test::program_path("pack_images"), {"--version"}).out ==
        fmt::format("chiaro {}\n", kVersion));
}

TEST_CASE("import_weights: --half stores the nearest half-precision values") {
  const test::TemporaryFolder folder;
  const std::string source = folder / "source.h5", target = folder / "half.h5";
  WeightsFile weights = random_vgg(16, 4, 1, "relu1_1");
  weights.parameters[1].values = {1.0f, 0.1f, -2.5f, 1.0f + 0x1p-11f};
  write_weights(source, weights);
  const auto result = import_weights({source, "--as", "vgg16", "-o", target, "--half"});
  REQUIRE(result.status == 0);
  CHECK(contains(result.out, ", fp16, "));
  CHECK(read_weights(target).parameters[1].values == std::vector<float>{1.0f, 0.0999755859375f, -2.5f, 1.0f});
}

TEST_CASE("import_weights: there and back through safetensors, the same bytes") {
  const test::TemporaryFolder folder;
  const std::string first = folder / "first.h5", middle = folder / "middle.safetensors",
                    last = folder / "last.h5";
  WeightsFile weights = random_vgg(19, 4, 1, "relu2_1");
  weights.provenance =
      nlohmann::ordered_json{{"source", "random"},
                             {"source_file", "x"},
                             {"written_by", fmt::format("chiaro {} import_weights", kVersion)}}
          .dump();
  write_weights(first, weights);
  REQUIRE(import_weights({first, "--as", "vgg19", "-o", middle}).status == 0);
  REQUIRE(import_weights({middle, "--as", "vgg19", "-o", last}).status == 0);
  WeightsFile after = read_weights(last);
  CHECK(nlohmann::json::parse(after.provenance)["source_file"] == "middle.safetensors");
  after.provenance = weights.provenance;
  write_weights(last, after);
  CHECK(read_text(first) == read_text(last));
}

TEST_CASE("import_weights: what cannot be exported is refused before anything is written") {
  const test::TemporaryFolder folder;
  const std::string source = write_small_vgg(folder);
  const auto refusal = [&](const std::string& name, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{source, "--as", "vgg19", "-o", folder / name};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = import_weights(arguments);
    CHECK(result.status == 1);
    CHECK(!std::filesystem::exists(folder / name));
    return result.err;
  };
  CHECK(contains(refusal("out.pth"),
                 "cannot tell the format to write from '.pth'; expected a name that ends in .h5"));
  CHECK(contains(refusal("out"), "cannot tell the format to write from ''"));
  CHECK(contains(refusal("out.onnx"), "transform"));
  CHECK(contains(refusal("out.onnx", {"--half"}), "--half: ONNX files are written in fp32"));
  CHECK(contains(refusal("out.h5", {"--preprocess", "torch"}),
                 "--preprocess torch contradicts the file, which says caffe"));
}

TEST_CASE("import_weights: refusals are one line, and nothing is written") {
  const test::TemporaryFolder folder;
  const std::string source = write_small_vgg(folder), target = folder / "out.h5";
  const auto refusal = [](const std::vector<std::string>& arguments) {
    const auto result = import_weights(arguments);
    CHECK(result.status == 1);
    CHECK(result.out == "");
    return result.err;
  };
  CHECK(refusal({source, "--as", "vgg16", "-o", target}) ==
        "import_weights: " + source + ": holds a network of kind 'vgg19', expected 'vgg16'\n");
  CHECK(contains(refusal({folder / "none.h5", "--as", "vgg19", "-o", target}), "none.h5: "));
  write_text(folder / "page.h5", "<!DOCTYPE html><html></html>");
  CHECK(contains(refusal({folder / "page.h5", "--as", "vgg19", "-o", target}), "it is a web page (HTML)"));
  CHECK(!std::filesystem::exists(target));
  const std::string nowhere = folder / "no/out.h5";
  CHECK(refusal({source, "--as", "vgg19", "-o", nowhere}) ==
        "import_weights: " + nowhere + ": cannot be written: folder '" + (folder / "no").string() +
            "' does not exist\n");
  CHECK(import_weights({source, "--as", "vgg20", "-o", target}).status == 2);
}

TEST_CASE("import_weights: a style out of several, for other programs") {
  const test::TemporaryFolder folder;
  const TransformNet config{
      .width = 4, .residual_blocks = 1, .output = OutputRange::Scaled150, .styles = {"wave", "scream"}};
  ParamStore params(ParamStore::Kind::Frozen);
  declare_transform_net(params, config);
  params.allocate();
  initialize_transform_net(params, config, 1);
  float* gamma = params.value(static_cast<int>(params.find("norm1.gamma") - params.entries().data()));
  gamma[4] = 3;
  const std::string source = folder / "two.h5";
  write_weights(source, transform_weights_file(params, config, "{}"));

  const std::string all = folder / "all.h5";
  REQUIRE(import_weights({source, "--as", "transform_net", "-o", all}).status == 0);
  CHECK(transform_net_from_json(read_weights(all).architecture, all) == config);

  const std::string plain = folder / "plain.h5";
  REQUIRE(
      import_weights({source, "--as", "transform_net", "--style", "wave=1,scream=3", "-o", plain}).status ==
      0);
  const WeightsFile mixed = read_weights(plain);
  CHECK(transform_net_from_json(mixed.architecture, plain) == plain_config(config));
  CHECK(mixed.find("norm1.gamma")->values == std::vector<float>{0.25f + 0.75f * 3, 1, 1, 1});
  CHECK(mixed.find("out.bias")->values == std::vector<float>{127.5f, 127.5f, 127.5f});

  for (const std::string format : {"onnx", "safetensors"}) {
    const std::string from_all = folder / ("all." + format), from_plain = folder / ("plain." + format);
    const auto without = import_weights({source, "--as", "transform_net", "-o", from_all});
    CHECK(without.status == 1);
    CHECK(contains(without.err, "has the styles wave, scream; say which"));
    REQUIRE(import_weights({source, "--as", "transform_net", "--style", "wave=1,scream=3", "-o", from_all})
                .status == 0);
    REQUIRE(import_weights({plain, "--as", "transform_net", "-o", from_plain}).status == 0);
    CHECK(std::filesystem::file_size(from_all) > 1000);
  }
  // The same numbers, by whichever way.
  const std::string back = folder / "back.h5";
  REQUIRE(import_weights({folder / "all.safetensors", "--as", "transform_net", "-o", back}).status == 0);
  const WeightsFile found = read_weights(back);
  for (const auto& tensor : mixed.parameters) CHECK(found.find(tensor.name)->values == tensor.values);

  const std::string vgg = write_small_vgg(folder);
  const auto wrong = import_weights({vgg, "--as", "vgg19", "--style", "wave", "-o", folder / "x.h5"});
  CHECK(wrong.status == 1);
  CHECK(contains(wrong.err, "--style: only transform networks have styles"));
}
