#include "weights_import/keras_vgg.hpp"

#include "engine/io/h5_file.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/vgg/vgg.hpp"
#include "weights_import/caffe_vgg.hpp"
#include "weights_import/keras_layers.hpp"
#include "weights_import/tensor_table.hpp"

namespace chiaro {
namespace {

std::string usual_keras_file(int depth) {
  return fmt::format("vgg{}_weights_tf_dim_ordering_tf_kernels_notop.h5", depth);
}

// What the layers of the convolutions are called, in the order of the network: block1_conv1, ..., or, where Keras 3 made up
// the names, conv2d, conv2d_1, ...
class LayerNames {
 public:
  LayerNames(const KerasLayers& layers, int depth) : made_up_(!layers.has("block1_conv1")) {
    const std::string expected = usual_keras_file(depth);
    if (made_up_ && !layers.has("conv2d"))
      throw Error("{}: is not Keras' VGG-{}: no layer 'block1_conv1', {}; expected {}", layers.file().file(),
                  depth, layers.found(), expected);
    // The two networks differ in the fourth convolution of blocks 3 to 5.
    const bool is_19 = layers.has(made_up_ ? "conv2d_13" : "block3_conv4");
    const bool is_16 = !is_19 && (made_up_ ? layers.has("conv2d_12")
                                           : layers.has("block3_conv3") && layers.has("block4_conv1"));
    if ((depth == 19 && is_16) || (depth == 16 && is_19))
      throw Error("{}: holds VGG-{}, expected VGG-{} (usually named {})", layers.file().file(),
                  is_16 ? 16 : 19, depth, expected);
  }

  std::string of(const VggConvolution& conv, std::size_t position) const {
    if (!made_up_) return fmt::format("block{}_conv{}", conv.block, conv.index);
    return position == 0 ? "conv2d" : fmt::format("conv2d_{}", position);
  }

 private:
  bool made_up_;
};

void check_kernel_order(const TensorFile& file, const TensorInfo& kernel, const VggConvolution& conv,
                        int depth) {
  const std::vector<std::int64_t> theano = {conv.out_channels, conv.in_channels, 3, 3};
  if (kernel.shape != theano) return;
  throw Error("{}: tensor '{}' has shape {}, Theano's order of axes; expected (3,3,{},{}), as in {}",
              file.file(), kernel.name, shape_text(theano), conv.in_channels, conv.out_channels,
              usual_keras_file(depth));
}

}  // namespace

WeightsFile import_keras_vgg(const TensorFile& file, int depth, const std::string& up_to_layer,
                             const ImportOptions& options) {
  const std::vector<VggConvolution> convs = convolutions({.depth = depth, .last_conv = up_to_layer});
  const KerasLayers layers(file);
  const LayerNames names(layers, depth);
  std::vector<TensorMapping> mappings;
  for (std::size_t i = 0; i < convs.size(); ++i) {
    const std::string layer = names.of(convs[i], i), expected = usual_keras_file(depth);
    const TensorInfo& kernel = layers.require(layer, "kernel", expected);
    check_kernel_order(file, kernel, convs[i], depth);
    const auto parameters = convs[i].parameters();
    mappings.push_back({parameters[0].name, parameters[0].shape, kernel.name, TensorLayout::OutputLast});
    mappings.push_back(
        {parameters[1].name, parameters[1].shape, layers.require(layer, "bias", expected).name});
  }
  WeightsFile weights;
  weights.kind = fmt::format("vgg{}", depth);
  weights.parameters = read_tensors(file, mappings, options);
  std::vector<float>& first = weights.parameters[0].values;
  first = with_channels_reversed(std::move(first));
  weights.architecture = to_json(Vgg{.depth = depth, .width = 64, .last_conv = convs.back().name()});
  weights.preprocess = to_json(Preprocess{{123.68, 116.779, 103.939}, {1, 1, 1}, "caffe"});
  weights.provenance = import_provenance(file, "input channels of conv1_1 swapped from BGR to RGB");
  return weights;
}

}  // namespace chiaro
