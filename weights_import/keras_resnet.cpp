#include "weights_import/keras_resnet.hpp"

#include "kernels/base/error.hpp"
#include "layers/networks/resnet_upproj/resnet_upproj.hpp"
#include "weights_import/caffe_vgg.hpp"
#include "weights_import/keras_layers.hpp"
#include "weights_import/tensor_table.hpp"

namespace chiaro {
namespace {

constexpr double kKerasEps = 1.001e-5, kUpprojEps = 1e-4;
constexpr const char* kUsualFile = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5";

// A convolution and its batch norm, and what Keras calls them: {keras}_conv, {keras}_bn.
struct Unit {
  std::string keras;
  UpprojConvolution conv;
};

void check_network(const KerasLayers& layers) {
  const std::string& file = layers.file().file();
  if (layers.has("conv2_block1_preact_bn"))
    throw Error("{}: holds ResNet-50 v2, expected v1 (usually named {})", file, kUsualFile);
  if (layers.has("conv4_block7_1_conv"))
    throw Error("{}: holds a ResNet of more than 50 layers, expected ResNet-50 (usually named {})", file,
                kUsualFile);
  if (!layers.has("conv1_conv"))
    throw Error("{}: is not Keras' ResNet-50: no layer 'conv1_conv', {}; expected {}", file, layers.found(),
                kUsualFile);
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

}  // namespace

ImportedEncoder import_keras_resnet50(const TensorFile& file) {
  const KerasLayers layers(file);
  check_network(layers);
  std::vector<TensorMapping> mappings;
  for (const Unit& unit : units(layers.has("conv5_block1_1_conv"))) {
    const UpprojConvolution& conv = unit.conv;
    const auto add = [&](const std::string& name, std::vector<std::int64_t> shape, const char* kind,
                         const char* variable) {
      const TensorInfo& tensor = layers.require(unit.keras + kind, variable, kUsualFile);
      const TensorLayout layout = shape.size() == 4 ? TensorLayout::OutputLast : TensorLayout::Same;
      mappings.push_back({name, std::move(shape), tensor.name, layout});
    };
    add(conv.scope + ".weight", {conv.k, conv.r, conv.s, conv.c}, "_conv", "kernel");
    add(conv.scope + ".bias", {conv.k}, "_conv", "bias");
    add(conv.norm + ".scale", {conv.k}, "_bn", "gamma");
    add(conv.norm + ".offset", {conv.k}, "_bn", "beta");
    add(conv.norm + ".mean", {conv.k}, "_bn", "moving_mean");
    add(conv.norm + ".variance", {conv.k}, "_bn", "moving_variance");
  }
  ImportedEncoder encoder{read_tensors(file, mappings, {}),
                          {.mean = {123.68, 116.779, 103.939}, .scale = {1, 1, 1}, .convention = "caffe"}};
  std::vector<float>& first = encoder.tensors[0].values;
  first = with_channels_reversed(std::move(first));
  for (std::size_t i = 0; i < mappings.size(); ++i) {
    if (!mappings[i].native.ends_with(".variance")) continue;
    for (float& v : encoder.tensors[i].values) {
      if (v < 0)
        throw Error("{}: tensor '{}' holds the negative variance {}: the file is damaged", file.file(),
                    mappings[i].foreign, v);
      v = static_cast<float>(double(v) + kKerasEps - kUpprojEps);
    }
  }
  return encoder;
}

}  // namespace chiaro
