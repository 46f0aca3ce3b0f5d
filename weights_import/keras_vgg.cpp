#include "weights_import/keras_vgg.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/io/h5_file.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/vgg/vgg.hpp"

namespace chiaro {
namespace {

std::string keras_name(const VggConvolution& conv) {
  return fmt::format("block{}_conv{}", conv.block, conv.index);
}

std::string usual_keras_file(int depth) {
  return fmt::format("vgg{}_weights_tf_dim_ordering_tf_kernels_notop.h5", depth);
}

// Where the layers' groups are: "/" or "/model_weights/".
std::string find_layers(const H5Reader& file, int depth) {
  for (const std::string root : {"/", "/model_weights/"}) {
    if (file.exists(root + "block1_conv1")) return root;
  }
  std::vector<std::string> found = file.groups();
  const std::size_t more = found.size() > 4 ? found.size() - 4 : 0;
  found.resize(std::min<std::size_t>(found.size(), 4));
  throw Error("{}: is not Keras' VGG-{}: no group 'block1_conv1', found {}{}; expected {}", file.file(),
              depth, found.empty() ? "no groups" : "groups " + listed(found),
              more > 0 ? fmt::format(" and {} more", more) : "", usual_keras_file(depth));
}

// The two networks differ in the fourth convolution of blocks 3 to 5.
void check_depth(const H5Reader& file, const std::string& root, int depth) {
  const bool is_19 = file.exists(root + "block3_conv4");
  const bool is_16 = !is_19 && file.exists(root + "block3_conv3") && file.exists(root + "block4_conv1");
  if ((depth == 19 && is_16) || (depth == 16 && is_19)) {
    throw Error("{}: holds VGG-{}, expected VGG-{} (usually named {})", file.file(), is_16 ? 16 : 19, depth,
                usual_keras_file(depth));
  }
}

struct ConvDatasets {
  std::string kernel, bias;
};

ConvDatasets find_datasets(const H5Reader& file, const std::string& root, const VggConvolution& conv,
                           int depth) {
  const std::string layer = keras_name(conv), group = root + layer + "/";
  const ConvDatasets layouts[] = {{group + layer + "_W_1:0", group + layer + "_b_1:0"},
                                  {group + layer + "/kernel:0", group + layer + "/bias:0"}};
  for (const ConvDatasets& layout : layouts) {
    if (file.exists(layout.kernel) && file.exists(layout.bias)) return layout;
    if (!file.exists(layout.kernel) && !file.exists(layout.bias)) continue;
    throw Error("{}: no dataset '{}'; the file is incomplete: download {} again", file.file(),
                file.exists(layout.kernel) ? layout.bias : layout.kernel, usual_keras_file(depth));
  }
  throw Error("{}: no dataset '{}' (or '{}'); the file is incomplete: expected {}", file.file(),
              layouts[0].kernel, layouts[1].kernel, usual_keras_file(depth));
}

void check_kernel_order(const H5Reader& file, const std::string& kernel, const VggConvolution& conv,
                        int depth) {
  const std::vector<std::int64_t> theano = {conv.out_channels, conv.in_channels, 3, 3};
  if (file.shape(kernel) != theano) return;
  throw Error("{}: dataset '{}' has shape {}, Theano's order of axes; expected (3,3,{},{}), as in {}",
              file.file(), kernel, shape_text(theano), conv.in_channels, conv.out_channels,
              usual_keras_file(depth));
}

// (R,S,C,K) to (K,R,S,C); reverse_c also turns the order of the input channels around, BGR to RGB.
std::vector<float> hwio_to_krsc(const std::vector<float>& hwio, const VggConvolution& conv, bool reverse_c) {
  const std::int64_t C = conv.in_channels, K = conv.out_channels;
  std::vector<float> krsc(hwio.size());
  for (std::int64_t rs = 0; rs < 9; ++rs) {
    for (std::int64_t c = 0; c < C; ++c) {
      const float* from = hwio.data() + (rs * C + (reverse_c ? C - 1 - c : c)) * K;
      for (std::int64_t k = 0; k < K; ++k) krsc[(k * 9 + rs) * C + c] = from[k];
    }
  }
  return krsc;
}

void check_finite(const H5Reader& file, const std::string& dataset, const std::vector<float>& values) {
  if (std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) return;
  throw Error("{}: dataset '{}' holds NaN or infinity: the file is damaged, download it again", file.file(),
              dataset);
}

}  // namespace

WeightsFile import_keras_vgg(const std::filesystem::path& path, int depth, const std::string& up_to_layer) {
  const std::vector<VggConvolution> convs = convolutions({.depth = depth, .last_conv = up_to_layer});
  const H5Reader file(path);
  const std::string root = find_layers(file, depth);
  check_depth(file, root, depth);

  WeightsFile weights;
  weights.kind = fmt::format("vgg{}", depth);
  for (const VggConvolution& conv : convs) {
    const ConvDatasets names = find_datasets(file, root, conv, depth);
    check_kernel_order(file, names.kernel, conv, depth);
    const std::vector<float> hwio =
        file.floats(names.kernel, std::vector<std::int64_t>{3, 3, conv.in_channels, conv.out_channels});
    std::vector<float> bias = file.floats(names.bias, std::vector<std::int64_t>{conv.out_channels});
    check_finite(file, names.kernel, hwio);
    check_finite(file, names.bias, bias);
    const auto shape = conv.parameters()[0].shape;
    const bool first = conv.block == 1 && conv.index == 1;
    weights.parameters.push_back({conv.name() + ".weight", shape, hwio_to_krsc(hwio, conv, first)});
    weights.parameters.push_back({conv.name() + ".bias", {conv.out_channels}, std::move(bias)});
  }
  weights.architecture = to_json(Vgg{.depth = depth, .width = 64, .last_conv = convs.back().name()});
  weights.preprocess = to_json(Preprocess{{123.68, 116.779, 103.939}, {1, 1, 1}, "caffe"});
  weights.provenance = nlohmann::ordered_json{{"source", path.filename().string()},
                                              {"format", "Keras HDF5"},
                                              {"tool", "chiaro import_keras_vgg"},
                                              {"note", "input channels of conv1_1 swapped from BGR to RGB"}}
                           .dump();
  return weights;
}

}  // namespace chiaro
