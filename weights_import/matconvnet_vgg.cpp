#include "weights_import/matconvnet_vgg.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/io/h5_file.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/vgg/vgg.hpp"
#include "weights_import/caffe_vgg.hpp"

namespace chiaro {
namespace {

constexpr std::int64_t kWidestVgg = 1024;

std::string usual_matlab_file(int depth) {
  return fmt::format("imagenet-vgg-verydeep-{}.mat", depth);
}

struct ConvLayer {
  std::string name;
  const MatValue* filters = nullptr;
  const MatValue* biases = nullptr;
};

std::vector<ConvLayer> conv_layers(const MatValue& layers) {
  std::vector<ConvLayer> found;
  for (const MatRecord& layer : mat_records(layers)) {
    ConvLayer conv{layer.text("name"), layer.field("filters"), layer.field("biases")};
    const MatValue* weights = layer.field("weights");
    if (weights && weights->kind == MatKind::Cell && !weights->items.empty()) {
      conv.filters = &weights->items[0];
      conv.biases = weights->items.size() > 1 ? &weights->items[1] : nullptr;
    }
    for (char& c : conv.name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (conv.filters && conv.filters->count() > 0) found.push_back(conv);
  }
  return found;
}

bool is_3x3(const ConvLayer& layer) {
  const std::vector<std::int64_t> shape = filter_shape(*layer.filters);
  return shape.size() == 4 && shape[0] == 3 && shape[1] == 3;
}

class VggLayers {
 public:
  VggLayers(const MatFile& file, const MatValue& network, int depth) : file_(file), depth_(depth) {
    if (network.field("params")) {
      throw Error("{}: holds a DagNN network of MatConvNet, expected {}", file.file(),
                  usual_matlab_file(depth));
    }
    const std::vector<ConvLayer> all = conv_layers(*network.field("layers"));
    if (all.empty() || !is_3x3(all[0]) || filter_shape(*all[0].filters)[2] != 3) {
      const std::string first = all.empty()
                                    ? "no layer has filters"
                                    : fmt::format("the first layer with filters is '{}' of shape {}",
                                                  all[0].name, shape_text(filter_shape(*all[0].filters)));
      throw Error("{}: is not VGG-{}: {}, expected conv1_1 of shape (3,3,3,64), as in {}", file.file(), depth,
                  first, usual_matlab_file(depth));
    }
    std::copy_if(all.begin(), all.end(), std::back_inserter(convs_), is_3x3);
    named_ = find("conv1_1") != nullptr;
    check_depth();
  }

  std::int64_t width() const { return filter_shape(*convs_[0].filters)[3]; }

  // The position counts convolutions from 0.
  const ConvLayer& layer(const VggConvolution& conv, std::size_t position) const {
    const ConvLayer* found = named_                     ? find(conv.name())
                             : position < convs_.size() ? &convs_[position]
                                                        : nullptr;
    if (!found) {
      throw Error("{}: no layer '{}'; the file is incomplete: download {} again", file_.file(), conv.name(),
                  usual_matlab_file(depth_));
    }
    return *found;
  }

 private:
  const ConvLayer* find(const std::string& name) const {
    const auto it =
        std::find_if(convs_.begin(), convs_.end(), [&](const ConvLayer& c) { return c.name == name; });
    return it == convs_.end() ? nullptr : &*it;
  }
  // The two networks differ in the fourth convolution of blocks 3 to 5.
  void check_depth() const {
    const bool is_19 =
        named_ ? find("conv3_4") != nullptr : convs_.size() == convolutions({.depth = 19}).size();
    const bool is_16 = !is_19 && (named_ ? find("conv3_3") && find("conv4_1")
                                         : convs_.size() == convolutions({.depth = 16}).size());
    if ((depth_ == 19 && is_16) || (depth_ == 16 && is_19)) {
      throw Error("{}: holds VGG-{}, expected VGG-{} (usually named {})", file_.file(), is_16 ? 16 : 19,
                  depth_, usual_matlab_file(depth_));
    }
  }

  const MatFile& file_;
  int depth_;
  std::vector<ConvLayer> convs_;
  bool named_ = false;
};

void check_shape(const MatFile& file, const ConvLayer& layer, const VggConvolution& conv) {
  const std::vector<std::int64_t> found = filter_shape(*layer.filters);
  const std::vector<std::int64_t> expected = {3, 3, conv.in_channels, conv.out_channels};
  if (found != expected) {
    throw Error("{}: layer '{}' has filters of shape {}, expected {}", file.file(), conv.name(),
                shape_text(found), shape_text(expected));
  }
  const std::int64_t biases = layer.biases ? layer.biases->count() : 0;
  if (biases != conv.out_channels) {
    throw Error("{}: layer '{}' has {} biases, expected {}", file.file(), conv.name(), biases,
                conv.out_channels);
  }
}

// (K,3,3,C) with rows and columns exchanged.
std::vector<float> transposed(const std::vector<float>& krsc, const VggConvolution& conv) {
  const std::int64_t C = conv.in_channels;
  std::vector<float> out(krsc.size());
  for (std::int64_t k = 0; k < conv.out_channels; ++k) {
    for (std::int64_t rs = 0; rs < 9; ++rs) {
      std::copy_n(krsc.begin() + (k * 9 + rs) * C, C, out.begin() + (k * 9 + rs % 3 * 3 + rs / 3) * C);
    }
  }
  return out;
}

std::array<double, 3> mean_of(const MatFile& file, const MatValue& network) {
  const MatValue* image = mat_find(network, {"meta", "normalization", "averageImage"});
  if (!image) image = mat_find(network, {"normalization", "averageImage"});
  if (!image || image->count() == 0) return {123.68, 116.779, 103.939};
  const bool has_channels = image->count() == 3 || (image->shape.size() == 3 && image->shape[2] == 3);
  if (!has_channels) {
    throw Error("{}: the mean picture 'averageImage' has shape {}, expected (224,224,3) or (1,1,3)",
                file.file(), shape_text(image->shape));
  }
  const std::vector<float> values = file.floats(*image);
  check_finite("averageImage", values, file.file());
  std::array<double, 3> mean{};
  for (std::size_t i = 0; i < values.size(); ++i) mean[i % 3] += values[i];
  for (double& m : mean) {
    m = std::round(m / static_cast<double>(values.size() / 3) * 1e4) /
        1e4;  // files have floats: 123.68000030
    if (m < 0 || m > 255) throw Error("{}: the mean picture has mean {}, expected 0 to 255", file.file(), m);
  }
  return mean;
}

}  // namespace

WeightsFile import_matconvnet_vgg(const MatFile& file, int depth, const MatConvNetProgress& progress) {
  require(depth == 16 || depth == 19, "vgg: depth {} does not exist, expected 16 or 19", depth);
  const MatValue& network = matconvnet_network(file, usual_matlab_file(depth));
  const VggLayers layers(file, network, depth);
  if (layers.width() > kWidestVgg) {
    throw Error("{}: conv1_1 has {} filters, expected 64", file.file(), layers.width());
  }
  const std::vector<VggConvolution> convs = convolutions({.depth = depth, .width = layers.width()});
  std::int64_t total = 0, done = 0;
  for (std::size_t i = 0; i < convs.size(); ++i) {
    check_shape(file, layers.layer(convs[i], i), convs[i]);
    total += 4 * (count_of(convs[i].parameters()[0].shape) + convs[i].out_channels);
  }

  WeightsFile weights;
  weights.kind = fmt::format("vgg{}", depth);
  bool columns_first = false;
  for (std::size_t i = 0; i < convs.size(); ++i) {
    const VggConvolution& conv = convs[i];
    const ConvLayer& layer = layers.layer(conv, i);
    if (progress) progress(done, total);
    std::vector<float> krsc = filters_krsc(file, *layer.filters);
    std::vector<float> biases = file.floats(*layer.biases);
    check_finite(conv.name() + " filters", krsc, file.file());
    check_finite(conv.name() + " biases", biases, file.file());
    if (i == 0 && depth == 19)
      columns_first = is_caffe_vgg19_first_layer(with_channels_reversed(transposed(krsc, conv)));
    if (columns_first) krsc = transposed(krsc, conv);
    const auto shape = conv.parameters()[0].shape;
    weights.parameters.push_back({conv.name() + ".weight", shape, std::move(krsc)});
    weights.parameters.push_back({conv.name() + ".bias", {conv.out_channels}, std::move(biases)});
    done += 4 * (count_of(conv.parameters()[0].shape) + conv.out_channels);
  }
  weights.architecture =
      to_json(Vgg{.depth = depth, .width = layers.width(), .last_conv = convs.back().name()});
  weights.preprocess = to_json(Preprocess{mean_of(file, network), {1, 1, 1}, "caffe"});
  weights.provenance =
      nlohmann::ordered_json{{"source", std::filesystem::path(file.file()).filename().string()},
                             {"format", file.format() + " (MatConvNet SimpleNN)"},
                             {"tool", "chiaro import_matconvnet_vgg"}}
          .dump();
  return weights;
}

}  // namespace chiaro
