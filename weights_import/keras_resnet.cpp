#include "weights_import/keras_resnet.hpp"

#include <algorithm>
#include <cmath>

#include "engine/io/h5_file.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/resnet_upproj/resnet_upproj.hpp"

namespace chiaro {
namespace {

constexpr double kKerasEps = 1.001e-5, kUpprojEps = 1e-4;
constexpr const char* kUsualFile = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5";

using Extents = std::vector<std::int64_t>;

// A convolution and its batch norm, and what Keras calls them: {keras}_conv, {keras}_bn.
struct Unit {
  std::string keras;
  UpprojConvolution conv;
};

// Where the layers' groups are: "/" or "/model_weights/".
std::string find_layers(const H5Reader& file) {
  for (const std::string root : {"/", "/model_weights/"}) {
    if (!file.exists(root + "conv1_conv")) continue;
    if (file.exists(root + "conv2_block1_preact_bn"))
      throw Error("{}: holds ResNet-50 v2, expected v1 (usually named {})", file.file(), kUsualFile);
    if (file.exists(root + "conv4_block7_1_conv"))
      throw Error("{}: holds a ResNet of more than 50 layers, expected ResNet-50 (usually named {})",
                  file.file(), kUsualFile);
    return root;
  }
  std::vector<std::string> found = file.groups();
  const std::size_t more = found.size() > 4 ? found.size() - 4 : 0;
  found.resize(found.size() - more);
  throw Error("{}: is not Keras' ResNet-50: no group 'conv1_conv', found {}{}; expected {}", file.file(),
              found.empty() ? "no groups" : "groups " + listed(found),
              more > 0 ? fmt::format(" and {} more", more) : "", kUsualFile);
}

std::vector<Unit> units(bool has_stage5) {
  const UpprojStages all = stages({.has_stage5 = has_stage5});
  std::vector<Unit> list{{"conv1", all.conv1}};
  for (const UpprojBottleneck& b : all.bottlenecks) {  // "res2a" is conv2_block1
    const std::string keras = fmt::format("conv{}_block{}_", b.feature[3], b.feature[4] - 'a' + 1);
    if (b.shortcut) list.push_back({keras + "0", *b.shortcut});
    list.insert(list.end(), {{keras + "1", b.a}, {keras + "2", b.b}, {keras + "3", b.c}});
  }
  return list;
}

std::vector<float> read(const H5Reader& file, const std::string& dataset, const Extents& shape) {
  if (!file.exists(dataset))
    throw Error("{}: no dataset '{}'; the file is incomplete: expected {}", file.file(), dataset, kUsualFile);
  std::vector<float> values = file.floats(dataset, shape);
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
    throw Error("{}: dataset '{}' holds NaN or infinity: the file is damaged, download it again", file.file(),
                dataset);
  return values;
}

// (R,S,C,K) to (K,R,S,C); reverse_c also turns the order of the input channels around, BGR to RGB.
std::vector<float> hwio_to_krsc(const std::vector<float>& hwio, const UpprojConvolution& unit,
                                bool reverse_c) {
  std::vector<float> krsc(hwio.size());
  const std::int64_t taps = unit.r * unit.s;
  for (std::int64_t rs = 0; rs < taps; ++rs)
    for (std::int64_t c = 0; c < unit.c; ++c) {
      const float* from = hwio.data() + (rs * unit.c + (reverse_c ? unit.c - 1 - c : c)) * unit.k;
      for (std::int64_t k = 0; k < unit.k; ++k) krsc[(k * taps + rs) * unit.c + c] = from[k];
    }
  return krsc;
}

}  // namespace

ImportedEncoder import_keras_resnet50(const std::filesystem::path& path) {
  const H5Reader file(path);
  const std::string root = find_layers(file);
  ImportedEncoder encoder;
  for (const Unit& unit : units(file.exists(root + "conv5_block1_1_conv"))) {
    const UpprojConvolution& conv = unit.conv;
    const Extents channels{conv.k};
    const auto dataset = [&](const char* kind, const char* part) {
      const std::string layer = unit.keras + kind;
      return root + layer + "/" + layer + "/" + part + ":0";
    };
    const auto add = [&](const std::string& name, const Extents& shape, std::vector<float> values) {
      encoder.tensors.push_back({name, shape, std::move(values)});
    };
    const auto kernel = read(file, dataset("_conv", "kernel"), {conv.r, conv.s, conv.c, conv.k});
    add(conv.scope + ".weight", {conv.k, conv.r, conv.s, conv.c},
        hwio_to_krsc(kernel, conv, conv.scope == "conv1"));
    add(conv.scope + ".bias", channels, read(file, dataset("_conv", "bias"), channels));
    add(conv.norm + ".scale", channels, read(file, dataset("_bn", "gamma"), channels));
    add(conv.norm + ".offset", channels, read(file, dataset("_bn", "beta"), channels));
    add(conv.norm + ".mean", channels, read(file, dataset("_bn", "moving_mean"), channels));
    auto variance = read(file, dataset("_bn", "moving_variance"), channels);
    for (float& v : variance) {
      if (v < 0)
        throw Error("{}: dataset '{}' holds the negative variance {}: the file is damaged", file.file(),
                    dataset("_bn", "moving_variance"), v);
      v = static_cast<float>(double(v) + kKerasEps - kUpprojEps);
    }
    add(conv.norm + ".variance", channels, std::move(variance));
  }
  encoder.preprocess = {.mean = {123.68, 116.779, 103.939}, .scale = {1, 1, 1}, .convention = "caffe"};
  return encoder;
}

}  // namespace chiaro
