#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <functional>

#include "layers/networks/resnet_upproj/resnet_upproj.hpp"
#include "layers/networks/vgg/vgg.hpp"
#include "tests/support/compare.hpp"
#include "tests/weights_import/matlab_files.hpp"
#include "weights_import/matconvnet_upproj.hpp"
#include "weights_import/matconvnet_vgg.hpp"
#include "weights_import/tensor_table.hpp"

namespace chiaro {
namespace {

using test::contains;
using test::error_of;
using test::matlab_file;
using test::matlab_value;
using test::open_matlab;
using test::TemporaryFolder;
using test::unpacked;
using test::wrong_values;

constexpr int kWidth = 4;

void check_vgg(const std::filesystem::path& path, int depth, const Preprocess& preprocess) {
  CAPTURE(path.string());
  std::int64_t last_done = -1, total = 0;
  const WeightsFile weights =
      import_matconvnet_vgg(open_matlab(path), depth, [&](std::int64_t done, std::int64_t all) {
        CHECK(done > last_done);
        last_done = done;
        total = all;
      });
  CHECK(last_done < total);
  CHECK(weights.kind == fmt::format("vgg{}", depth));
  CHECK(weights.architecture ==
        fmt::format(R"({{"depth":{},"width":4,"last_conv":"conv5_{}"}})", depth, depth == 19 ? 4 : 3));
  CHECK(parse_preprocess(weights.preprocess, "x") == preprocess);
  CHECK(contains(weights.provenance, path.filename().string()));
  const std::vector<VggConvolution> convs = convolutions({.depth = depth, .width = kWidth});
  REQUIRE(weights.parameters.size() == 2 * convs.size());
  for (std::size_t i = 0; i < convs.size(); ++i) {
    const NamedTensor &weight = weights.parameters[2 * i], &bias = weights.parameters[2 * i + 1];
    CHECK(weight.name == convs[i].name() + ".weight");
    CHECK(bias.name == convs[i].name() + ".bias");
    REQUIRE(weight.shape == convs[i].parameters()[0].shape);
    CHECK(wrong_values(weight.name, weight.shape, weight.values) == 0);
    CHECK(wrong_values(bias.name, bias.shape, bias.values) == 0);
  }
}

TEST_CASE("matconvnet: VGG in its old and new layouts") {
  const TemporaryFolder folder;
  const Preprocess caffe = {{123.68, 116.779, 103.939}, {1, 1, 1}, "caffe"};
  check_vgg(matlab_file("vgg19_meta.mat"), 19, {{100, 110, 120}, {1, 1, 1}, "caffe"});
  check_vgg(unpacked("vgg16_old.mat", folder), 16, caffe);
  check_vgg(unpacked("vgg19_v73.mat", folder), 19, caffe);
}

// The file with `from` replaced wherever it occurs; both have the same length.
std::filesystem::path with(const std::string& name, const TemporaryFolder& folder, const std::string& from,
                           const std::string& to) {
  std::string bytes = read_text(unpacked(name, folder));
  bool found = false;
  for (std::size_t at = bytes.find(from); at != std::string::npos;
       at = bytes.find(from, at + 1), found = true) {
    bytes.replace(at, from.size(), to);
  }
  REQUIRE(found);
  write_text(folder / ("changed_" + name), bytes);
  return folder / ("changed_" + name);
}

TEST_CASE("matconvnet: a wrong VGG is named as what it is") {
  const TemporaryFolder folder;
  const auto old = unpacked("vgg16_old.mat", folder);
  CHECK(
      contains(error_of([&] { import_matconvnet_vgg(open_matlab(matlab_file("vgg19_meta.mat")), 16); }),
               "vgg19_meta.mat: holds VGG-19, expected VGG-16 (usually named imagenet-vgg-verydeep-16.mat)"));
  CHECK(contains(error_of([&] { import_matconvnet_vgg(open_matlab(old), 19); }),
                 "holds VGG-16, expected VGG-19"));
  CHECK(contains(error_of([&] { import_matconvnet_vgg(open_matlab(matlab_file("upproj_nyu.mat")), 19); }),
                 "holds a DagNN network of MatConvNet, expected imagenet-vgg-verydeep-19.mat"));
  CHECK(contains(
      error_of([&] { import_matconvnet_vgg(open_matlab(matlab_file("features_le.mat")), 19); }),
      "is not a MatConvNet network: no variable has 'layers', found narrow, scalar, single, double, "));
  const auto unnamed = with("vgg19_v73.mat", folder,
                            std::string("c\0o\0n\0v\0"
                                        "4\0_\0"
                                        "2\0",
                                        14),
                            std::string("c\0o\0n\0v\0"
                                        "4\0_\0"
                                        "9\0",
                                        14));
  CHECK(contains(error_of([&] { import_matconvnet_vgg(open_matlab(unnamed), 19); }),
                 "no layer 'conv4_2'; the file is incomplete: download imagenet-vgg-verydeep-19.mat again"));
  // Without its mean, the usual one.
  const auto meanless = with("vgg16_old.mat", folder, "averageImage", "averageimage");
  CHECK(contains(import_matconvnet_vgg(open_matlab(meanless), 16).preprocess, "123.68"));
  // The extents (3,3,4,8) of conv2_1 as (3,3,8,4).
  const auto shape = with("vgg16_old.mat", folder, std::string("\3\0\0\0\3\0\0\0\4\0\0\0\10\0\0\0", 16),
                          std::string("\3\0\0\0\3\0\0\0\10\0\0\0\4\0\0\0", 16));
  CHECK(contains(error_of([&] { import_matconvnet_vgg(open_matlab(shape), 16); }),
                 "layer 'conv2_1' has filters of shape (3,3,8,4), expected (3,3,4,8)"));
}

void check_upproj(const std::filesystem::path& path, const std::string& padding,
                  const std::optional<std::string>& asked = std::nullopt) {
  CAPTURE(path.string());
  const WeightsFile weights = import_matconvnet_upproj(open_matlab(path), asked);
  CHECK(weights.kind == "resnet_upproj");
  CHECK(weights.architecture == R"({"width":4,"encoder":"resnet50","padding":")" + padding + R"("})");
  CHECK(parse_preprocess(weights.preprocess, "x") == Preprocess{});
  const std::vector<ParameterShape> expected = parameters(ResnetUpproj{.width = kWidth});
  REQUIRE(weights.parameters.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const NamedTensor& tensor = weights.parameters[i];
    CAPTURE(tensor.name);
    CHECK(tensor.name == expected[i].name);
    CHECK(tensor.shape == expected[i].shape);
    if (!tensor.name.ends_with(".variance")) {
      CHECK(wrong_values(tensor.name, tensor.shape, tensor.values) == 0);
      continue;
    }
    const std::string deviation = tensor.name.substr(0, tensor.name.rfind('.')) + ".deviation";
    std::int64_t wrong = 0;
    for (std::size_t c = 0; c < tensor.values.size(); ++c) {
      const double std_dev = 0.5 + (matlab_value(deviation, static_cast<std::int64_t>(c)) + 30) / 4;
      wrong += std::abs(std::sqrt(tensor.values[c] + 1e-4) - std_dev) > 1e-6 * std_dev;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("matconvnet: ResNet-UpProj, by layers, by names, in every container") {
  const TemporaryFolder folder;
  check_upproj(matlab_file("upproj_nyu.mat"), "nyu");
  check_upproj(matlab_file("upproj_nyu.mat"), "make3d", "make3d");
  check_upproj(unpacked("upproj_make3d.mat", folder), "make3d");
  check_upproj(unpacked("upproj_v73.mat", folder), "make3d");
}

TEST_CASE("matconvnet: what is wrong with a ResNet-UpProj is said") {
  const TemporaryFolder folder;
  CHECK(
      contains(error_of([] { import_matconvnet_upproj(open_matlab(matlab_file("vgg19_meta.mat"))); }),
               "is a MatConvNet network, but no DagNN: it has no 'params'; expected NYU_ResNet-UpProj.mat or "
               "Make3D_ResNet-UpProj.mat"));
  CHECK(contains(error_of([] { import_matconvnet_upproj(open_matlab(matlab_file("features_le.mat"))); }),
                 "is not a MatConvNet network"));
  CHECK(error_of([] { import_matconvnet_upproj(open_matlab(matlab_file("upproj_nyu.mat")), "left"); }) ==
        "padding \"left\", expected \"nyu\" or \"make3d\"");
  const auto unsaid = with("upproj_make3d.mat", folder, "imageSize", "imagesize");
  CHECK(contains(error_of([&] { import_matconvnet_upproj(open_matlab(unsaid)); }),
                 "give --padding nyu for a network trained on NYU"));
  check_upproj(unsaid, "nyu", "nyu");
  const auto lacking = with("upproj_make3d.mat", folder, "RES4B-BRANCH2B", "RES4B-BRANCH2X");
  CHECK(
      contains(error_of([&] { import_matconvnet_upproj(open_matlab(lacking)); }),
               "lacks 1 of the 394 tensors of ResNet-UpProj: res4b_branch2b.weight; the file is incomplete"));
  const auto other = with("upproj_make3d.mat", folder, "CONV1", "CONV0");
  CHECK(contains(error_of([&] { import_matconvnet_upproj(open_matlab(other)); }),
                 "is not ResNet-UpProj: no filters of a layer 'conv1'; its layers are CONV0, BN-CONV0, "));
  // The extents (3,3,4,4) of res2a_branch2b as (3,4,3,4).
  const auto shape = with("upproj_make3d.mat", folder, std::string("\3\0\0\0\3\0\0\0\4\0\0\0\4\0\0\0", 16),
                          std::string("\3\0\0\0\4\0\0\0\3\0\0\0\4\0\0\0", 16));
  CHECK(contains(error_of([&] { import_matconvnet_upproj(open_matlab(shape)); }),
                 "has shape (3,4,3,4), expected (3,3,4,4)"));
}

TEST_CASE("matconvnet: files cut short anywhere are errors") {
  const TemporaryFolder folder;
  const auto check = [&](const std::string& name,
                         const std::function<void(const std::filesystem::path&)>& import) {
    const std::string bytes = read_text(unpacked(name, folder));
    for (std::size_t i = 0; i < 60; ++i) {
      const std::size_t length = bytes.size() * i / 60 + i % 5;
      // Not MemoryFile: HDF5 resolves links, and those into /proc lead nowhere.
      std::ofstream(folder / "cut.mat", std::ios::binary)
          .write(bytes.data(), static_cast<std::streamsize>(length));
      CAPTURE(name);
      CAPTURE(length);
      CHECK(contains(error_of([&] { import(folder / "cut.mat"); }), "cut.mat: "));
    }
  };
  const auto upproj = [](const std::filesystem::path& path) { import_matconvnet_upproj(open_matlab(path)); };
  check("vgg19_meta.mat",
        [](const std::filesystem::path& path) { import_matconvnet_vgg(open_matlab(path), 19); });
  check("vgg16_old.mat",
        [](const std::filesystem::path& path) { import_matconvnet_vgg(open_matlab(path), 16); });
  check("upproj_nyu.mat", upproj);
  check("upproj_make3d.mat", upproj);
  check("upproj_v73.mat", upproj);
}

TEST_CASE("in_order: every missing tensor is named") {
  CHECK(
      error_of([] {
        std::vector<NamedTensor> all;
        const auto wanted = parameters(ResnetUpproj{.width = 1, .has_stage5 = false});
        for (const ParameterShape& tensor : wanted) {
          if (tensor.name != "conv1.bias" && tensor.name != "layer4x_br2_ConvC.weight")
            all.push_back({tensor.name, tensor.shape, {}});
        }
        in_order(std::move(all), wanted, "ResNet-UpProj", "net.npy");
      }) ==
      "net.npy: lacks 2 of the 344 tensors of ResNet-UpProj: conv1.bias, layer4x_br2_ConvC.weight; the file "
      "is incomplete or another network");
}

}  // namespace
}  // namespace chiaro
