#include <doctest/doctest.h>

#include <cstdlib>
#include <functional>
#include <map>

#include "engine/io/h5_file.hpp"
#include "layers/networks/resnet_upproj/resnet_upproj.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"
#include "weights_import/keras_resnet.hpp"

namespace chiaro {
namespace {

using test::error_of;
using test::TemporaryFolder;
using Extents = std::vector<std::int64_t>;
using Datasets = std::map<std::string, std::pair<Extents, std::vector<float>>>;

// A value that tells its place: exact in fp32.
float kernel_value(std::int64_t r, std::int64_t s, std::int64_t c, std::int64_t k) {
  return static_cast<float>(((r * 7 + s) * 64 + c) * 256 + k);
}

// What a Keras file without conv5 holds. Kernels of the first layers hold kernel_value(), others zeros.
Datasets keras_datasets() {
  Datasets all;
  const auto add = [&](const std::string& layer, std::int64_t k, std::int64_t size, std::int64_t c) {
    const std::string conv = layer + "_conv/" + layer + "_conv/", bn = layer + "_bn/" + layer + "_bn/";
    std::vector<float> kernel(static_cast<std::size_t>(size * size * c * k));
    if (layer == "conv1" || layer.starts_with("conv2_block1"))
      for (std::int64_t i = 0; i < std::ssize(kernel); ++i)
        kernel[i] = kernel_value(i / (size * c * k), i / (c * k) % size, i / k % c, i % k);
    all[conv + "kernel:0"] = {{size, size, c, k}, std::move(kernel)};
    float value = 0.5f;
    for (const std::string& name :
         {conv + "bias:0", bn + "gamma:0", bn + "beta:0", bn + "moving_mean:0", bn + "moving_variance:0"})
      all[name] = {{k}, std::vector<float>(static_cast<std::size_t>(k), value++)};
  };
  add("conv1", 64, 7, 3);
  std::int64_t c = 64, inner = 64;
  for (const auto& [stage, blocks] : {std::pair{2, 3}, {3, 4}, {4, 6}}) {
    for (int block = 1; block <= blocks; ++block) {
      const std::string name = fmt::format("conv{}_block{}_", stage, block);
      if (block == 1) add(name + "0", 4 * inner, 1, c);
      add(name + "1", inner, 1, c);
      add(name + "2", inner, 3, inner);
      add(name + "3", 4 * inner, 1, inner);
      c = 4 * inner;
    }
    inner *= 2;
  }
  return all;
}

void write(const std::filesystem::path& path, const Datasets& datasets, const std::string& root = "") {
  H5Writer out(path);
  for (const auto& [name, data] : datasets)
    out.floats(root + name, data.first, data.second, H5Float::Single, 1);
  out.close();
}

const NamedTensor& find(const ImportedEncoder& encoder, const std::string& name) {
  for (const auto& tensor : encoder.tensors)
    if (tensor.name == name) return tensor;
  throw Error("no tensor '{}'", name);
}

}  // namespace

TEST_CASE("keras_resnet: names, layout, channel order and epsilon") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "resnet50.h5";
  for (const std::string root : {"", "model_weights/"}) {
    write(path, keras_datasets(), root);
    const ImportedEncoder encoder = import_keras_resnet50(*open_tensor_file(path));
    CHECK(encoder.preprocess == Preprocess{{123.68, 116.779, 103.939}, {1, 1, 1}, "caffe"});
    REQUIRE(encoder.tensors.size() == 6 * 43);  // stem, 13 blocks of three, 3 projections

    const NamedTensor& stem = find(encoder, "conv1.weight");
    REQUIRE(stem.shape == Extents{64, 7, 7, 3});
    const NamedTensor& middle = find(encoder, "res2a_branch2b.weight");
    REQUIRE(middle.shape == Extents{64, 3, 3, 64});
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < std::ssize(stem.values); ++i)
      wrong += stem.values[i] != kernel_value(i / 21 % 7, i / 3 % 7, 2 - i % 3, i / 147);
    for (std::int64_t i = 0; i < std::ssize(middle.values); ++i)
      wrong += middle.values[i] != kernel_value(i / 192 % 3, i / 64 % 3, i % 64, i / 576);
    CHECK(wrong == 0);
    CHECK(find(encoder, "res2a_branch1.bias").values == std::vector<float>(256, 0.5f));
    CHECK(find(encoder, "bn4f_branch2c.scale").values == std::vector<float>(1024, 1.5f));
    CHECK(find(encoder, "bn4f_branch2c.offset").values[0] == 2.5f);
    CHECK(find(encoder, "bn4f_branch2c.mean").values[0] == 3.5f);
    CHECK(find(encoder, "bn4f_branch2c.variance").values[0] == float(4.5 + 1.001e-5 - 1e-4));
  }
}

// Every parameter of the depth network's encoder is there in its shape, but biases that it does not have.
TEST_CASE("keras_resnet: the tensors are those of the depth network's encoder") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "resnet50.h5";
  write(path, keras_datasets());
  const ImportedEncoder encoder = import_keras_resnet50(*open_tensor_file(path));
  std::size_t biases = 0, found = 0;
  for (const auto& tensor : encoder.tensors)
    biases += tensor.name.ends_with(".bias") && tensor.name != "conv1.bias";
  for (const auto& [name, shape] : parameters(ResnetUpproj{.has_stage5 = false})) {
    if (name.starts_with("layer") || name.starts_with("ConvPred")) continue;
    CAPTURE(name);
    CHECK(find(encoder, name).shape == shape);
    ++found;
  }
  CHECK(found + biases == encoder.tensors.size());
}

TEST_CASE("keras_resnet: variances smaller than the difference of the epsilons stay positive with epsilon") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "resnet50.h5";
  auto datasets = keras_datasets();
  auto& variance = datasets["conv1_bn/conv1_bn/moving_variance:0"].second;
  variance[0] = 0;
  variance[1] = 1e-6f;
  write(path, datasets);
  const ImportedEncoder encoder = import_keras_resnet50(*open_tensor_file(path));
  const auto& found = find(encoder, "bn_conv1.variance").values;
  CHECK(double(found[0]) + 1e-4 == doctest::Approx(1.001e-5).epsilon(1e-5));
  CHECK(double(found[1]) + 1e-4 == doctest::Approx(1.101e-5).epsilon(1e-5));
}

TEST_CASE("keras_resnet: unusable files are refused with their reason") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "r.h5";
  const auto error = [&](const std::function<void(Datasets&)>& change) {
    Datasets datasets = keras_datasets();
    change(datasets);
    write(path, datasets);
    std::string text = error_of([&] { import_keras_resnet50(*open_tensor_file(path)); });
    REQUIRE(text.starts_with(path.string() + ": "));
    return text.substr(path.string().size() + 2);
  };
  const std::string usual = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5";
  CHECK(error([](Datasets& d) {
          d.clear();
          d["block1_conv1/kernel:0"] = {{1}, {0}};
        }) == "is not Keras' ResNet-50: no layer 'conv1_conv', found layers block1_conv1; expected " + usual);
  CHECK(error([](Datasets& d) {
          d["conv2_block1_preact_bn/gamma:0"] = {{1}, {0}};
        }) == "holds ResNet-50 v2, expected v1 (usually named " + usual + ")");
  CHECK(error([](Datasets& d) {
          d["conv4_block7_1_conv/kernel:0"] = {{1}, {0}};
        }) == "holds a ResNet of more than 50 layers, expected ResNet-50 (usually named " + usual + ")");
  CHECK(
      error([](Datasets& d) { d.erase("conv3_block2_3_bn/conv3_block2_3_bn/beta:0"); }) ==
      "layer 'conv3_block2_3_bn' has no beta, found 'gamma', 'moving_mean', 'moving_variance'; the file is incomplete "
      "or laid out in an unknown way: expected " +
          usual);
  CHECK(error([](Datasets& d) {
          d["conv1_bn/conv1_bn/gamma:0"] = {{32}, std::vector<float>(32)};
        }) == "tensor 'conv1_bn/conv1_bn/gamma:0' has shape (32), expected (64)");
  CHECK(
      error([](Datasets& d) { d["conv1_bn/conv1_bn/gamma:0"].second[3] = 1 / 0.f; }) ==
      "tensor 'conv1_bn/conv1_bn/gamma:0' holds NaN or infinity: the network diverged or the file is damaged");
  CHECK(error([](Datasets& d) { d["conv1_bn/conv1_bn/moving_variance:0"].second[3] = -1; }) ==
        "tensor 'conv1_bn/conv1_bn/moving_variance:0' holds the negative variance -1: the file is damaged");
}

}  // namespace chiaro
