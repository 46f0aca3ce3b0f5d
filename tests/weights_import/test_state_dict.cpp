// Networks as state dicts: names, layouts, and safetensors files that come back as the network they were.
#include "weights_import/state_dict.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/file_util.hpp"
#include "layers/networks/transform_net/transform_net.hpp"
#include "layers/networks/vgg/vgg.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/weights_import/network_of_kind.hpp"
#include "tests/weights_import/python_files.hpp"
#include "weights_import/files/safetensors_network.hpp"

namespace chiaro {
namespace {

using test::contains;
using test::error_of;
using test::network_of_kind;
using test::same_bits;
using test::TemporaryFolder;
using Dims = std::vector<std::int64_t>;

void check_same(const WeightsFile& a, const WeightsFile& b) {
  CHECK(a.kind == b.kind);
  CHECK(a.architecture == b.architecture);
  CHECK(a.preprocess == b.preprocess);
  CHECK(a.provenance == b.provenance);
  REQUIRE(a.parameters.size() == b.parameters.size());
  for (std::size_t i = 0; i < a.parameters.size(); ++i) {
    CAPTURE(a.parameters[i].name);
    CHECK(a.parameters[i].name == b.parameters[i].name);
    CHECK(a.parameters[i].shape == b.parameters[i].shape);
    CHECK(same_bits(a.parameters[i].values, b.parameters[i].values));
  }
}

TEST_CASE("state dict: transform networks have the names and the layout of pytorch/examples") {
  const auto mappings = state_dict(TransformNet{});
  CHECK(mappings.size() == 62);
  const auto find = [&](const std::string& foreign) {
    for (const TensorMapping& m : mappings)
      if (m.foreign == foreign) return m;
    return TensorMapping{};
  };
  CHECK(mappings.front().foreign == "conv1.conv2d.weight");
  CHECK(mappings.back().foreign == "deconv3.conv2d.bias");
  CHECK(find("conv1.conv2d.weight").foreign_shape() == Dims{32, 3, 9, 9});
  CHECK(find("conv1.conv2d.bias").layout == TensorLayout::Zeros);
  CHECK(find("in3.bias").native == "norm3.beta");
  CHECK(find("res5.conv2.conv2d.weight").native == "res5.conv2.weight");
  CHECK(find("res5.in2.weight").native == "res5.norm2.gamma");
  CHECK(find("deconv1.conv2d.weight").foreign_shape() == Dims{64, 128, 3, 3});
  CHECK(find("deconv2.conv2d.weight").native_shape == Dims{32, 3, 3, 64});
  CHECK(find("in5.weight").native_shape == Dims{32});
  CHECK(find("deconv3.conv2d.weight").foreign_shape() == Dims{3, 32, 9, 9});
  CHECK(find("deconv3.conv2d.bias").native == "out.bias");
  const auto transposed =
      state_dict(TransformNet{.width = 2, .residual_blocks = 0, .upsample = Upsample::Transposed});
  CHECK(transposed.size() == 22);
  CHECK(transposed[12].native_shape == Dims{8, 3, 3, 4});
  CHECK(transposed[12].foreign_shape() == Dims{8, 4, 3, 3});
}

TEST_CASE("state dict: VGG has torchvision's numbers") {
  const auto names = [](int depth) {
    std::string text;
    for (const TensorMapping& m : state_dict(Vgg{.depth = depth}))
      if (m.foreign.ends_with(".weight")) text += m.foreign.substr(9, m.foreign.size() - 16) + " ";
    return text;
  };
  CHECK(names(19) == "0 2 5 7 10 12 14 16 19 21 23 25 28 30 32 34 ");
  CHECK(names(16) == "0 2 5 7 10 12 14 17 19 21 24 26 28 ");
  const auto some = state_dict(Vgg{.width = 8, .last_conv = "conv2_1"});
  REQUIRE(some.size() == 6);
  CHECK(some[4].native == "conv2_1.weight");
  CHECK(some[4].foreign_shape() == Dims{16, 8, 3, 3});
  CHECK(some[5].foreign == "features.5.bias");
}

TEST_CASE("state dict: (K,R,S,C) here is (K,C,R,S) there") {
  const TensorMapping mapping = same_name_mapping({"w", {2, 3, 4, 5}});
  std::vector<float> native(120);
  for (int i = 0; i < 120; ++i) native[i] = static_cast<float>(i);
  const NamedTensor foreign = to_foreign(mapping, native);
  CHECK(foreign.shape == Dims{2, 5, 3, 4});
  for (int k = 0; k < 2; ++k)
    for (int c = 0; c < 5; ++c)
      for (int rs = 0; rs < 12; ++rs)
        CHECK(foreign.values[(k * 5 + c) * 12 + rs] == native[(k * 12 + rs) * 5 + c]);
  CHECK(to_native(mapping, foreign.values).values == native);
}

TEST_CASE("safetensors: networks come back bit for bit, for every kind") {
  const TemporaryFolder folder;
  const auto path = folder / "network.safetensors";
  std::vector<WeightsFile> networks = {
      network_of_kind("vgg16", R"({"depth":16,"width":2,"last_conv":"conv3_1"})"),
      network_of_kind("vgg19", R"({"depth":19,"width":1})"),
      network_of_kind("resnet_upproj", R"({"width":1,"decoder_width":8,"up_projections":3})"),
      network_of_kind("vgg19", R"({"width":2,"last_conv":"conv2_2","ranks":{"conv1_2":1,"conv2_1":3}})")};
  for (const Upsample upsample : {Upsample::Nearest, Upsample::Transposed}) {
    const TransformNet architecture{.width = 2, .residual_blocks = 2, .upsample = upsample, .norm_eps = 1e-3};
    networks.push_back(network_of_kind("transform_net", to_json(architecture)));
  }
  for (const WeightsFile& network : networks) {
    CAPTURE(network.kind);
    export_safetensors(path, network);
    const auto file = test::safetensors_of(path);
    CHECK(file->metadata().at("format") == "pt");
    REQUIRE(holds_network(*file));
    check_same(read_network(*file), network);
    const std::string bytes = read_text(path);
    export_safetensors(path, read_network(*file));
    CHECK(read_text(path) == bytes);
  }
  const WeightsFile& network = networks.back();
  export_safetensors(path, network);
  const auto file = test::safetensors_of(path);
  CHECK(file->find("conv1.conv2d.bias")->shape == Dims{2});
  CHECK(file->read(1) == std::vector<float>(2, 0.f));
  export_safetensors(path, network, /*half=*/true);
  const WeightsFile rounded = read_network(*test::safetensors_of(path));
  CHECK_FALSE(same_bits(rounded.parameters[0].values, network.parameters[0].values));
  CHECK(rounded.parameters[0].values[5] == doctest::Approx(network.parameters[0].values[5]).epsilon(1e-3));
  CHECK_FALSE(holds_network(*test::safetensors_of("weights_import/data/types.safetensors")));
}

TEST_CASE("safetensors: networks that do not fit are refused") {
  const TemporaryFolder folder;
  const auto path = folder / "n.safetensors";
  const WeightsFile good =
      network_of_kind("transform_net", to_json(TransformNet{.width = 1, .residual_blocks = 1}));
  const auto written = [&](auto change) {
    WeightsFile weights = good;
    change(weights);
    return error_of([&] { export_safetensors(path, weights); });
  };
  CHECK(written([](WeightsFile& w) { w.kind = "vgg11"; }) ==
        path.string() +
            ": unknown kind of network 'vgg11', expected transform_net, vgg19, vgg16, resnet_upproj");
  CHECK(written([](WeightsFile& w) { w.provenance = "[]"; }) ==
        path.string() + ": 'chiaro.provenance' is not a JSON object of at most 262144 bytes");
  CHECK(contains(written([](WeightsFile& w) { w.parameters[0].values[3] = NAN; }),
                 "tensor 'conv1.weight' holds NaN or infinity"));
  CHECK(written([](WeightsFile& w) { w.parameters.pop_back(); }) ==
        "the network of kind 'transform_net': no tensor 'out.bias'");
  CHECK(written([](WeightsFile& w) {
          w.parameters.push_back({"more", {1}, {1}});
        }) == "the network of kind 'transform_net': tensor 'more' belongs to no layer of this network");
  CHECK(written([](WeightsFile& w) {
          w.parameters[0].shape = {1, 3, 9, 9};
        }) ==
        "the network of kind 'transform_net': tensor 'conv1.weight' has shape (1,3,9,9), expected (1,9,9,3)");
  CHECK(contains(written([](WeightsFile& w) { w.architecture = R"({"width":1})"; }),
                 "the architecture of the transform network is not usable"));
  CHECK(folder.entries() == 0);

  SafetensorsMetadata metadata = {{"chiaro.kind", good.kind},
                                  {"chiaro.architecture", good.architecture},
                                  {"chiaro.preprocess", good.preprocess},
                                  {"chiaro.provenance", good.provenance}};
  std::vector<NamedTensor> tensors = to_state_dict(good);
  const auto read = [&] {
    write_safetensors(path, tensors, metadata);
    return error_of([&] { read_network(*test::safetensors_of(path)); }).substr(path.string().size());
  };
  tensors[0].name = "conv1.conv2.weight";
  CHECK(read() == ": no tensor 'conv1.conv2d.weight'; did you mean 'conv1.conv2.weight'?");
  tensors[0].name = "conv1.conv2d.weight";
  tensors[0].shape = {3, 1, 9, 9};
  CHECK(read() == ": tensor 'conv1.conv2d.weight' has shape (3,1,9,9), expected (1,3,9,9)");
  metadata.erase("chiaro.preprocess");
  CHECK(read() == ": no entry 'chiaro.preprocess' in the metadata");
  metadata["chiaro.preprocess"] = R"({"channels":"BGR"})";
  CHECK(contains(read(), "preprocess asks for channels \"BGR\""));
}

}  // namespace
}  // namespace chiaro
