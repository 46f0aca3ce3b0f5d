#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <functional>

#include "engine/file_util.hpp"
#include "engine/io/h5_file.hpp"
#include "layers/networks/vgg/vgg.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/real_data.hpp"
#include "tests/support/temporary_folder.hpp"
#include "weights_import/keras_vgg.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {
namespace {

using test::contains;
using test::error_of;
using test::TemporaryFolder;
using Extents = std::vector<std::int64_t>;

enum class Layout { Flat, Nested, SavedModel, Inner, Bare, Keras3, Keras3Names };

// A value that tells its place: exact in fp32.
float value_at(std::int64_t r, std::int64_t s, std::int64_t c, std::int64_t k) {
  return static_cast<float>(((r * 3 + s) * 64 + c) * 128 + k);
}

struct Names {
  std::string kernel, bias;
};
Names names_of(const VggConvolution& conv, Layout layout, int position) {
  const std::string layer = fmt::format("block{}_conv{}", conv.block, conv.index);
  if (layout == Layout::Flat) return {layer + "/" + layer + "_W_1:0", layer + "/" + layer + "_b_1:0"};
  if (layout == Layout::Inner) return {"vgg/" + layer + "/kernel:0", "vgg/" + layer + "/bias:0"};
  if (layout == Layout::Bare) return {layer + "/" + layer + "/kernel", layer + "/" + layer + "/bias"};
  if (layout == Layout::Keras3Names) return {"layers/" + layer + "/vars/0", "layers/" + layer + "/vars/1"};
  if (layout == Layout::Keras3) {
    const std::string group = position == 0 ? "layers/conv2d" : fmt::format("layers/conv2d_{}", position);
    return {group + "/vars/0", group + "/vars/1"};
  }
  const std::string root = layout == Layout::SavedModel ? "model_weights/" : "";
  return {root + layer + "/" + layer + "/kernel:0", root + layer + "/" + layer + "/bias:0"};
}

// A file as Keras writes it. Kernels up to conv2_1 hold value_at(), later ones zeros; all have their full
// shapes. change(conv) may alter the shapes that are written or, with out_channels = 0, drop a layer.
void write_keras(
    const std::filesystem::path& path, int depth, Layout layout,
    const std::function<void(VggConvolution&)>& change = [](VggConvolution&) {}) {
  H5Writer out(path);
  out.attribute("/", "layer_names", std::vector<std::string>{"block1_conv1", "block1_conv2"});
  int position = 0;
  for (const VggConvolution& true_conv : convolutions({.depth = depth})) {
    VggConvolution conv = true_conv;
    change(conv);
    if (conv.out_channels == 0) continue;
    const std::int64_t C = conv.in_channels, K = conv.out_channels;
    std::vector<float> kernel(static_cast<std::size_t>(9 * C * K)), bias(static_cast<std::size_t>(K));
    if (conv.block == 1 || (conv.block == 2 && conv.index == 1)) {
      for (std::int64_t i = 0; i < 9 * C * K; ++i) {
        kernel[i] = value_at(i / (3 * C * K), i / (C * K) % 3, i / K % C, i % K);
      }
    }
    for (std::int64_t k = 0; k < K; ++k) bias[k] = static_cast<float>(100 * conv.block + 10 * conv.index + k);
    const Names names = names_of(conv, layout, position++);
    out.floats(names.kernel, Extents{3, 3, C, K}, kernel, H5Float::Single, 1);
    out.floats(names.bias, Extents{K}, bias);
  }
  out.group("block1_pool");
  // What the optimizer keeps has the names of the layers, too.
  if (layout != Layout::Flat)
    out.floats("optimizer_weights/Adam/block1_conv1/kernel:0", Extents{1}, std::vector<float>{7});
  if (layout != Layout::Flat) out.floats("fc1/fc1/kernel:0", Extents{2, 2}, std::vector<float>(4));
  out.close();
}

void check_values(const WeightsFile& weights, const std::vector<VggConvolution>& convs) {
  REQUIRE(weights.parameters.size() == 2 * convs.size());
  for (std::size_t n = 0; n < convs.size(); ++n) {
    const VggConvolution& conv = convs[n];
    const NamedTensor& weight = weights.parameters[2 * n];
    const NamedTensor& bias = weights.parameters[2 * n + 1];
    const std::int64_t C = conv.in_channels, K = conv.out_channels;
    CHECK(weight.name == conv.name() + ".weight");
    CHECK(bias.name == conv.name() + ".bias");
    REQUIRE(weight.shape == Extents{K, 3, 3, C});
    CHECK(bias.values[5] == static_cast<float>(100 * conv.block + 10 * conv.index + 5));
    if (n > 2) continue;
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < count_of(conv.parameters()[0].shape); ++i) {
      const std::int64_t k = i / (9 * C), r = i / (3 * C) % 3, s = i / C % 3, c = i % C;
      const std::int64_t keras_c = n == 0 ? 2 - c : c;  // Keras: BGR
      wrong += weight.values[i] != value_at(r, s, keras_c, k);
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("keras_vgg: every layout becomes KRSC with RGB input") {
  const TemporaryFolder folder;
  for (const Layout layout : {Layout::Flat, Layout::Nested, Layout::SavedModel, Layout::Inner, Layout::Bare,
                              Layout::Keras3, Layout::Keras3Names}) {
    CAPTURE(static_cast<int>(layout));
    write_keras(folder / "vgg.h5", 19, layout);
    const WeightsFile weights = import_keras_vgg(*open_tensor_file(folder / "vgg.h5"), 19);
    CHECK(weights.kind == "vgg19");
    CHECK(contains(weights.architecture, "\"depth\":19"));
    const Preprocess expected = {{123.68, 116.779, 103.939}, {1, 1, 1}, "caffe"};
    CHECK(parse_preprocess(weights.preprocess, "x") == expected);
    check_values(weights, convolutions({.depth = 19}));
  }
}

TEST_CASE("keras_vgg: reads only what a layer needs") {
  const TemporaryFolder folder;
  write_keras(folder / "vgg.h5", 16, Layout::Flat, [](VggConvolution& conv) {
    if (conv.block > 4) conv.out_channels = 0;
  });
  check_values(import_keras_vgg(*open_tensor_file(folder / "vgg.h5"), 16, "relu2_1"),
               convolutions({.depth = 16, .last_conv = "relu2_1"}));
  CHECK(import_keras_vgg(*open_tensor_file(folder / "vgg.h5"), 16, "pool4").parameters.size() == 20);
  CHECK(contains(
      error_of([&] { import_keras_vgg(*open_tensor_file(folder / "vgg.h5"), 16); }),
      "no layer 'block5_conv1'; the file is incomplete: expected vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"));
  CHECK(error_of([&] { import_keras_vgg(*open_tensor_file(folder / "vgg.h5"), 16, "relu4_4"); }) ==
        "VGG-16 has no layer 'relu4_4'; did you mean 'relu4_1'?");
}

TEST_CASE("keras_vgg: a wrong file is named as what it is") {
  const TemporaryFolder folder;
  const auto path = folder / "vgg.h5";
  const auto message = [&](int depth) {
    return error_of([&] { import_keras_vgg(*open_tensor_file(path), depth); }).substr(path.string().size());
  };
  write_keras(path, 16, Layout::Flat);
  CHECK(message(19) ==
        ": holds VGG-16, expected VGG-19 (usually named vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5)");
  write_keras(path, 19, Layout::Nested);
  CHECK(message(16) ==
        ": holds VGG-19, expected VGG-16 (usually named vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5)");
  write_keras(path, 19, Layout::Flat, [](VggConvolution& conv) {
    if (conv.block == 1 && conv.index == 1) conv.out_channels = 32;
  });
  CHECK(message(19) ==
        ": tensor 'block1_conv1/block1_conv1_W_1:0' has shape (3,3,3,32), expected (3,3,3,64)");
  {
    H5Writer out(path);
    for (const char* name :
         {"conv1_conv", "conv1_bn", "conv2_block1_0_conv", "conv2_block1_0_bn", "more", "most"}) {
      out.floats(std::string(name) + "/kernel:0", Extents{1}, std::vector<float>{1});
    }
    out.close();
  }
  CHECK(message(19) ==
        ": is not Keras' VGG-19: no layer 'block1_conv1', found layers conv1_conv, conv1_bn, "
        "conv2_block1_0_conv, conv2_block1_0_bn and 2 more; expected "
        "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5");
  {
    H5Writer out(path);
    out.floats("block1_conv1/block1_conv1_W_1:0", Extents{64, 3, 3, 3}, std::vector<float>(1728));
    out.floats("block1_conv1/block1_conv1_b_1:0", Extents{64}, std::vector<float>(64));
    out.close();
  }
  CHECK(contains(message(19), "has shape (64,3,3,3), Theano's order of axes; expected (3,3,3,64)"));
  {
    H5Writer out(path);
    out.floats("block1_conv1/block1_conv1_W_1:0", Extents{3, 3, 3, 64}, std::vector<float>(1728));
    out.close();
  }
  CHECK(contains(message(19), "layer 'block1_conv1' has no bias, found 'W_1'; the file is incomplete"));
  {
    H5Writer out(path);
    out.floats("block1_conv1/block1_conv1_W_1:0", Extents{3, 3, 3, 64}, std::vector<float>(1728, NAN));
    out.floats("block1_conv1/block1_conv1_b_1:0", Extents{64}, std::vector<float>(64));
    out.close();
  }
  CHECK(contains(
      error_of([&] { import_keras_vgg(*open_tensor_file(path), 19, "relu1_1"); }),
      "tensor 'block1_conv1/block1_conv1_W_1:0' holds NaN or infinity: the network diverged or the file is damaged"));
  write_text(path, "<html>404</html>");
  CHECK(
      message(19) ==
      ": no weights can be read from it: it is a web page (HTML): the download went wrong; expected chiaro's own file, "
      "Keras' HDF5, a PyTorch state dict (.pth), safetensors, a NumPy dictionary (.npy) or MATLAB's .mat");
}

TEST_CASE("keras_vgg: a file cut off anywhere is an error, never a crash") {
  const TemporaryFolder folder;
  write_keras(folder / "whole.h5", 16, Layout::Flat);
  const std::string whole = read_text(folder / "whole.h5");
  for (std::size_t length = 0; length < whole.size(); length += 1 + whole.size() / 41) {
    CAPTURE(length);
    write_text(folder / "cut.h5", whole.substr(0, length));
    CHECK_FALSE(error_of([&] { import_keras_vgg(*open_tensor_file(folder / "cut.h5"), 16); }).empty());
  }
}

TEST_CASE("keras_vgg: damaged bytes give an error or the network, never a crash") {
  const TemporaryFolder folder;
  write_keras(folder / "whole.h5", 16, Layout::Flat);
  const std::string whole = read_text(folder / "whole.h5");
  for (std::size_t n = 1; n <= 24; ++n) {
    // Kilobyte-sized holes of zeros, as failed transfers leave them.
    std::string damaged = whole;
    const std::size_t at = n * whole.size() / 25;
    damaged.replace(at, 1024, std::string(std::min<std::size_t>(1024, whole.size() - at), '\0'));
    write_text(folder / "damaged.h5", damaged);
    CAPTURE(at);
    CHECK_NOTHROW(
        error_of([&] { import_keras_vgg(*open_tensor_file(folder / "damaged.h5"), 16, "relu3_1"); }));
  }
}

TEST_CASE("load_network: the format is told from the contents") {
  const TemporaryFolder folder;
  write_keras(folder / "keras.bin", 16, Layout::Flat);
  WeightsFile weights = load_network(folder / "keras.bin", "vgg16");
  CHECK(weights.kind == "vgg16");
  write_weights(folder / "native", weights);
  CHECK(load_network(folder / "native", "vgg16").find("conv1_1.weight")->values ==
        weights.find("conv1_1.weight")->values);
  CHECK(error_of([&] { load_network(folder / "native", "vgg19"); }) ==
        (folder / "native").string() + ": holds a network of kind 'vgg16', expected 'vgg19'");
  write_text(folder / "photo.jpg", "\xff\xd8\xff\xe0");
  CHECK(
      error_of([&] { load_network(folder / "photo.jpg", "vgg16"); }) ==
      (folder / "photo.jpg").string() +
          ": no weights can be read from it: it is a JPEG picture; expected chiaro's own file, Keras' HDF5, a "
          "PyTorch state dict (.pth), safetensors, a NumPy dictionary (.npy) or MATLAB's .mat");
  CHECK(contains(error_of([&] { load_network(folder / "native", "vgg11"); }),
                 "unknown kind of network 'vgg11'"));
}

TEST_CASE("keras_vgg: the file that users download") {
  const auto data = test::real_data();
  if (!data) return;
  const auto path = *data / "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5";
  const WeightsFile weights = load_network(path, "vgg19");
  CHECK(weights.parameters.size() == 32);
  // From the same file, read with h5py: W[1,2,0,7], where channel 0 is blue, and b[7] of block1_conv1.
  const NamedTensor& weight = *weights.find("conv1_1.weight");
  CHECK(weight.values[((7 * 3 + 1) * 3 + 2) * 3 + 2] == doctest::Approx(0.032269873).epsilon(1e-7));
  CHECK(weights.find("conv1_1.bias")->values[7] == doctest::Approx(0.34789944).epsilon(1e-7));
  CHECK(contains(error_of([&] { load_network(path, "vgg16"); }), "holds VGG-19, expected VGG-16"));
  const auto resnet = *data / "resnet50/resnet50_imagenet_conv1_to_conv4.h5";
  CHECK(contains(error_of([&] { load_network(resnet, "vgg19"); }),
                 "is not Keras' VGG-19: no layer 'block1_conv1', found layers conv1_bn, conv1_conv"));
}

}  // namespace
}  // namespace chiaro
