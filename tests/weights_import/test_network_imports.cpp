#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/file_util.hpp"
#include "layers/networks/networks.hpp"
#include "layers/networks/resnet_upproj/resnet_upproj.hpp"
#include "layers/networks/transform_net/transform_net.hpp"
#include "layers/networks/vgg/vgg.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/real_data.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/weights_import/matlab_files.hpp"
#include "weights_import/files/safetensors_network.hpp"
#include "weights_import/keras_vgg.hpp"
#include "weights_import/known_files.hpp"
#include "weights_import/state_dict.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {
namespace {

using test::contains;
using test::error_of;
using test::TemporaryFolder;
using Extents = std::vector<std::int64_t>;

// Values that tell their place in their tensor, other ones in every tensor.
NamedTensor numbered(const std::string& name, const Extents& shape, std::size_t number) {
  std::int64_t count = 1;
  for (const auto extent : shape) count *= extent;
  NamedTensor tensor{name, shape, std::vector<float>(static_cast<std::size_t>(count))};
  for (std::size_t i = 0; i < tensor.values.size(); ++i)
    tensor.values[i] = static_cast<float>((i * 37 + number * 101) % 4093) / 256.f - 8.f;
  return tensor;
}

std::vector<NamedTensor> numbered(const std::vector<TensorMapping>& mappings) {
  std::vector<NamedTensor> tensors;
  for (const TensorMapping& mapping : mappings)
    if (mapping.layout != TensorLayout::Zeros)
      tensors.push_back(numbered(mapping.native, mapping.native_shape, tensors.size()));
  return tensors;
}

bool same(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const NamedTensor& x, const NamedTensor& y) {
    return x.name == y.name && x.shape == y.shape && x.values == y.values;
  });
}

WeightsFile transform_network(const TransformNet& architecture) {
  return {.kind = "transform_net",
          .architecture = to_json(architecture),
          .parameters = numbered(chiaro::state_dict(architecture))};
}

WeightsFile vgg_network(int depth, std::int64_t width, const std::string& last_conv = "") {
  return {.kind = "vgg" + std::to_string(depth),
          .architecture = nlohmann::json{{"depth", depth}, {"width", width}}.dump(),
          .parameters =
              numbered(chiaro::state_dict(Vgg{.depth = depth, .width = width, .last_conv = last_conv}))};
}

std::vector<NamedTensor> plain_state_dict(const WeightsFile& network) {
  Vgg vgg{.depth = network.kind == "vgg16" ? 16 : 19, .width = network.parameters[0].shape[0]};
  if (network.kind != "transform_net") vgg.last_conv = network.parameters.back().name.substr(0, 7);
  const auto mappings = network.kind == "transform_net" ? chiaro::state_dict(describe(network, "test"))
                                                        : chiaro::state_dict(vgg);
  std::vector<NamedTensor> result;
  std::size_t next = 0;
  for (const TensorMapping& mapping : mappings) {
    const bool kept = mapping.layout != TensorLayout::Zeros;
    result.push_back(
        to_foreign(mapping, kept ? network.parameters[next++].values
                                 : std::vector<float>(static_cast<std::size_t>(mapping.native_shape[0]))));
  }
  return result;
}

// A plain state dict in a file, as other programs write it.
struct StateDictFile {
  TemporaryFolder folder;
  std::filesystem::path path = folder / "weights.safetensors";

  explicit StateDictFile(const std::vector<NamedTensor>& tensors) { write_safetensors(path, tensors, {}); }
  std::string error(const std::string& kind, const ImportOptions& options = {}) const {
    return error_of([&] { load_network(path, kind, options); });
  }
};

NamedTensor& tensor(std::vector<NamedTensor>& tensors, const std::string& name) {
  return *std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
}

}  // namespace

TEST_CASE("network imports: a style network's architecture is read off names and shapes") {
  for (const Upsample upsample : {Upsample::Nearest, Upsample::Transposed}) {
    const WeightsFile network = transform_network(
        {.width = 4, .residual_blocks = upsample == Upsample::Nearest ? 2 : 0, .upsample = upsample});
    auto tensors = plain_state_dict(network);
    tensors.push_back(numbered("in1.running_mean", {4}, 1));
    tensors.push_back(numbered("res1.in2.running_var", {16}, 2));
    const StateDictFile file(tensors);
    const WeightsFile loaded = load_network(file.path, "transform_net");
    CHECK(loaded.architecture == network.architecture);
    CHECK(loaded.preprocess == to_json(Preprocess{}));
    CHECK(same(loaded.parameters, network.parameters));
  }
}

TEST_CASE("network imports: mistakes in a style network are named") {
  const auto good = plain_state_dict(transform_network({.width = 4, .residual_blocks = 1}));
  auto tensors = good;
  std::erase_if(tensors, [](const auto& t) { return t.name == "in4.bias"; });
  CHECK(contains(StateDictFile(tensors).error("transform_net"), "no tensor 'in4.bias'; did you mean '"));
  tensors = good;
  tensor(tensors, "conv2.conv2d.weight") = numbered("conv2.conv2d.weight", {8, 4, 3, 2}, 1);
  CHECK(contains(StateDictFile(tensors).error("transform_net"),
                 "tensor 'conv2.conv2d.weight' has shape (8,4,3,2), expected (8,4,3,3)"));
  tensors = good;
  tensor(tensors, "in1.weight").values[2] = NAN;
  CHECK(contains(StateDictFile(tensors).error("transform_net"), "tensor 'in1.weight' holds NaN or infinity"));
  CHECK(contains(
      StateDictFile(good).error("vgg19"),
      "does not hold a vgg19: it is safetensors with a style network of pytorch/examples (transform_net); "
      "expected torchvision's vgg19-dcbb9e9d.pth"));
  CHECK(
      contains(StateDictFile({numbered("a", {2}, 1), numbered("b", {3, 1}, 1)}).error("transform_net"),
               "safetensors with 2 tensors: 'a' (2), 'b' (3,1); expected the tensors of pytorch/examples'"));
}

TEST_CASE("network imports: VGG weights that do not say their preprocessing are refused until told") {
  const WeightsFile network = vgg_network(19, 2);
  const StateDictFile file(plain_state_dict(network));
  CHECK(contains(file.error("vgg19"), "do not say how pictures must be prepared for them"));

  const WeightsFile torch = load_network(file.path, "vgg19", {.preprocess = "torch"});
  CHECK(same(torch.parameters, network.parameters));
  const Preprocess expected = parse_preprocess(torch.preprocess, "test");
  CHECK(expected.convention == "torch");
  const double white = (255 - expected.mean[0]) * expected.scale[0];
  CHECK(white == doctest::Approx((1 - 0.485) / 0.229));

  const WeightsFile caffe = load_network(file.path, "vgg19", {.preprocess = "caffe"});
  CHECK(parse_preprocess(caffe.preprocess, "test").mean == std::array{123.68, 116.779, 103.939});
  const auto& rgb = caffe.parameters[0].values;
  const auto& bgr = network.parameters[0].values;
  for (std::size_t i = 0; i < rgb.size(); i += 3) CHECK((rgb[i] == bgr[i + 2] && rgb[i + 1] == bgr[i + 1]));
  CHECK(same(load_network(file.path, "vgg19", {.preprocess = "caffe-rgb"}).parameters, network.parameters));
}

TEST_CASE("network imports: a VGG cut short, without prefix, of another depth, with batch norm") {
  const ImportOptions torch{.preprocess = "torch"};
  const WeightsFile network = vgg_network(16, 2, "conv4_2");
  auto tensors = plain_state_dict(network);
  for (NamedTensor& t : tensors) t.name = t.name.substr(std::string("features.").size());
  const StateDictFile file(tensors);
  const WeightsFile loaded = load_network(file.path, "vgg16", torch);
  CHECK(same(loaded.parameters, network.parameters));
  CHECK(contains(loaded.architecture, "\"last_conv\":\"conv4_2\""));
  CHECK(contains(file.error("vgg19", torch),
                 "does not hold a vgg19: it is safetensors with torchvision's VGG-16"));

  std::erase_if(tensors, [](const auto& t) { return t.name == "5.bias"; });
  CHECK(contains(StateDictFile(tensors).error("vgg16", torch), "no tensor '5.bias'"));
  tensors.push_back(numbered("1.running_mean", {2}, 1));
  CHECK(contains(StateDictFile(tensors).error("vgg16", torch),
                 "with a VGG with batch norm; expected torchvision's vgg16-397923af.pth"));
}

TEST_CASE("network imports: Caffe's VGG-19 is recognized in any container by its first layer") {
  const auto data = test::real_data();
  if (!data) return;
  const auto keras = import_keras_vgg(
      *open_tensor_file(*data / "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"), 19, "relu1_2");
  WeightsFile bgr = keras;
  auto& first = bgr.parameters[0].values;
  for (std::size_t i = 0; i < first.size(); i += 3) std::swap(first[i], first[i + 2]);

  const StateDictFile as_caffe(plain_state_dict(bgr)), as_rgb(plain_state_dict(keras));
  for (const StateDictFile* file : {&as_caffe, &as_rgb}) {
    const WeightsFile loaded = load_network(file->path, "vgg19");
    CHECK(same(loaded.parameters, keras.parameters));
    CHECK(loaded.preprocess == keras.preprocess);
    CHECK(contains(file->error("vgg19", {.preprocess = "torch"}),
                   "--preprocess torch contradicts the file: its first "
                   "layer is that of Caffe's VGG-19"));
  }
}

TEST_CASE("network imports: ResNet-UpProj by chiaro's own names") {
  std::vector<NamedTensor> native, foreign;
  for (const ParameterShape& t : parameters(ResnetUpproj{.width = 2, .has_stage5 = false})) {
    native.push_back(numbered(t.name, t.shape, native.size()));
    foreign.push_back(to_foreign(same_name_mapping(t), native.back().values));
  }
  const StateDictFile file(foreign);
  CHECK(contains(file.error("resnet_upproj"), "give --padding nyu or --padding make3d"));
  const WeightsFile loaded = load_network(file.path, "resnet_upproj", {.padding = "make3d"});
  CHECK(same(loaded.parameters, native));
  CHECK(loaded.architecture == R"({"width":2,"encoder":"resnet50-c4","padding":"make3d"})");
}

TEST_CASE("network imports: NYU_ResNet-UpProj.npy as Python 2 wrote it") {
  const TemporaryFolder folder;
  const auto path = test::unpacked("fcrn_python2.npy", folder, "python");
  const WeightsFile loaded = load_network(path, "resnet_upproj");
  CHECK(loaded.architecture == R"({"width":1,"encoder":"resnet50","padding":"nyu"})");
  CHECK(loaded.preprocess == to_json(Preprocess{}));
  const auto expected = parameters(ResnetUpproj{.width = 1});
  REQUIRE(loaded.parameters.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const NamedTensor& tensor = loaded.parameters[i];
    CAPTURE(expected[i].name);
    CHECK(tensor.name == expected[i].name);
    CHECK(tensor.shape == expected[i].shape);
    CHECK(test::wrong_values(tensor.name, tensor.shape, tensor.values) == 0);
  }
  CHECK(contains(error_of([&] { load_network(path, "vgg19"); }),
                 "it is NumPy dictionary with ResNet-UpProj (resnet_upproj); expected torchvision's"));
}

TEST_CASE("network imports: what chiaro exported comes back bit for bit, and keeps its preprocessing") {
  TemporaryFolder folder;
  const auto path = folder / "network.safetensors";
  WeightsFile network = vgg_network(19, 3);
  network.preprocess = to_json(Preprocess{{1, 2, 3}, {4, 5, 6}, "torch"});
  network.provenance = R"({"source":"here"})";
  export_safetensors(path, network);
  const WeightsFile loaded = load_network(path, "vgg19");
  CHECK(loaded.architecture == network.architecture);
  CHECK(loaded.preprocess == network.preprocess);
  CHECK(loaded.provenance == network.provenance);
  CHECK(same(loaded.parameters, network.parameters));
  CHECK(contains(error_of([&] { load_network(path, "vgg16"); }),
                 "holds a network of kind 'vgg19', expected 'vgg16'"));
  CHECK(contains(error_of([&] { load_network(path, "vgg19", {.preprocess = "caffe"}); }),
                 "--preprocess caffe contradicts the file, which says torch"));
}

TEST_CASE("network imports: what is no weights file at all is named, whatever was asked for") {
  const TemporaryFolder folder;
  const auto path = folder / "weights.pth";
  const auto message = [&](const std::string& contents, const std::string& kind) {
    write_text(path, contents);
    return error_of([&] { load_network(path, kind); });
  };
  for (const auto& name : network_names()) {
    const std::string kind(name);
    CAPTURE(kind);
    CHECK(contains(message("<!DOCTYPE html><html>404</html>", kind),
                   "it is a web page (HTML): the download went wrong"));
    CHECK(contains(
        message("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", kind),
        "it is a Git LFS pointer, not the file itself: run 'git lfs pull'; expected chiaro's own file"));
    CHECK(contains(message("", kind), "it is empty"));
    CHECK(contains(message("\x1f\x8b\x08", kind), "it is a gzip archive: unpack it first"));
    CHECK(contains(message("PK\x03\x04 and no more", kind), "is a zip archive that is cut short or damaged"));
  }
}

TEST_CASE("network imports: checksums, and the files known by them") {
  TemporaryFolder folder;
  write_text(folder / "abc", "abc");  // the example of FIPS 180-2
  CHECK(sha256_of(folder / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  write_text(folder / "long", std::string((1 << 20) + 5, 'x'));
  CHECK(sha256_of(folder / "long") == "87fdbc9d8a44bce194d4cc22e90e6c21dd71179b6ecd0ac1c2af0b34b85e2e18");
  CHECK(known_file("dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44")->preprocess ==
        "torch");
  CHECK(known_file("d01eb7cb00000000000000000000000000000000000000000000000000000000")->preprocess ==
        "caffe");
  CHECK(known_file("dcbb9e9d00000000000000000000000000000000000000000000000000000000") == nullptr);
}

}  // namespace chiaro
