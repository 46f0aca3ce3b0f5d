#include <optional>

#include "kernels/base/error.hpp"
#include "layers/networks/vgg/vgg.hpp"
#include "weights_import/caffe_vgg.hpp"
#include "weights_import/known_files.hpp"
#include "weights_import/network_imports.hpp"
#include "weights_import/tensor_table.hpp"

namespace chiaro {
namespace {

const Preprocess kCaffe{{123.68, 116.779, 103.939}, {1, 1, 1}, "caffe"};
// (x/255 - mean) / deviation with torchvision's numbers.
const Preprocess kTorch{{0.485 * 255, 0.456 * 255, 0.406 * 255},
                        {1 / (0.229 * 255), 1 / (0.224 * 255), 1 / (0.225 * 255)},
                        "torch"};

std::string usual_file(int depth) {
  return fmt::format("torchvision's vgg{}-{}.pth", depth, depth == 19 ? "dcbb9e9d" : "397923af");
}

// The first convolution's weight, or the first factor of it; null when it sees no RGB.
const TensorInfo* first_convolution(const TensorFile& file, const std::string& prefix) {
  const TensorInfo* first = file.find(prefix + "0.reduce.weight");
  if (!first) first = file.find(prefix + "0.weight");
  const bool is_vgg = first && first->shape.size() == 4 && first->shape[1] == 3 && first->shape[2] == 3;
  return is_vgg ? first : nullptr;
}

// "features." or "", before the numbers of the layers.
std::string find_prefix(const TensorFile& file, int depth) {
  const std::string kind = fmt::format("vgg{}", depth);
  for (const std::string prefix : {"features.", ""}) {
    if (!first_convolution(file, prefix) || file.find(prefix + "1.running_mean")) continue;
    const bool is_19 = file.find(prefix + "16.weight"), is_16 = !is_19 && file.find(prefix + "17.weight");
    if ((depth == 19 && is_16) || (depth == 16 && is_19)) break;
    return prefix;
  }
  throw_wrong_network(file, kind, usual_file(depth));
}

// The network that the file's names and shapes tell of. It ends where the file does: people keep only the layers that they
// use.
Vgg network_of(const TensorFile& file, int depth, const std::string& prefix) {
  Vgg network{.depth = depth};
  if (const TensorInfo* first = file.find(prefix + "0.weight")) network.width = first->shape[0];
  require(network.width >= 1 && network.width <= 1024,
          "{}: the first convolution has {} channels, expected 64", file.file(), network.width);
  for (const TensorMapping& mapping : state_dict(network)) {
    if (!mapping.native.ends_with(".weight")) continue;
    const std::string conv = mapping.native.substr(0, mapping.native.find('.'));
    const std::string number = mapping.foreign.substr(std::string("features.").size());
    const std::string scope = prefix + number.substr(0, number.find('.'));
    if (const TensorInfo* reduce = file.find(scope + ".reduce.weight"); reduce && !reduce->shape.empty())
      network.ranks[conv] = reduce->shape[0];
    if (file.find(scope + ".weight") || file.find(scope + ".bias")) network.last_conv = conv;
  }
  return network;
}

// What the file itself lets be known, by its checksum or its first layer: a value of
// ImportOptions::preprocess.
struct Recognized {
  std::string preprocess, reason;
};
std::optional<Recognized> recognize(const TensorFile& file, int depth,
                                    const std::vector<float>& first_layer) {
  if (depth == 19 && is_caffe_vgg19_first_layer(first_layer))
    return Recognized{"caffe", "its first layer is that of Caffe's VGG-19"};
  if (depth == 19 && is_caffe_vgg19_first_layer(with_channels_reversed(first_layer)))
    return Recognized{"caffe-rgb",
                      "its first layer is that of Caffe's VGG-19 with the channels swapped to RGB"};
  const KnownFile* known = known_file(sha256_of(file.file()));
  if (known && !known->preprocess.empty())
    return Recognized{std::string(known->preprocess), fmt::format("it is {}", known->description)};
  return std::nullopt;
}

std::string choose_preprocess(const TensorFile& file, int depth, const std::vector<float>& first_layer,
                              const std::string& asked) {
  const auto known = recognize(file, depth, first_layer);
  if (asked == "auto" && !known) {
    throw Error(
        "{}: these VGG-{} weights do not say how pictures must be prepared for them, and wrong preparation "
        "spoils every result unnoticed: import them once with import_weights --as vgg{} --preprocess torch "
        "(trained with torchvision) or --preprocess caffe (converted from Caffe, BGR)",
        file.file(), depth, depth);
  }
  if (asked != "auto" && known && known->preprocess != asked) {
    throw Error("{}: --preprocess {} contradicts the file: {}, which wants {}", file.file(), asked,
                known->reason, known->preprocess);
  }
  return known ? known->preprocess : asked;
}

}  // namespace

WeightsFile import_vgg(const TensorFile& file, int depth, const ImportOptions& options) {
  const std::string prefix = find_prefix(file, depth);
  const Vgg network = network_of(file, depth, prefix);
  std::vector<TensorMapping> mappings = state_dict(network);
  for (TensorMapping& mapping : mappings) mapping.foreign.replace(0, std::string("features.").size(), prefix);
  WeightsFile weights;
  weights.kind = fmt::format("vgg{}", depth);
  weights.parameters = read_tensors(file, mappings, options);

  std::vector<float>& first = weights.parameters[0].values;
  const std::string preprocess = choose_preprocess(file, depth, first, options.preprocess);
  std::string note;
  if (preprocess == "caffe") {
    first = with_channels_reversed(std::move(first));
    note = "input channels of conv1_1 swapped from BGR to RGB";
  }
  weights.preprocess = to_json(preprocess == "torch" ? kTorch : kCaffe);
  weights.architecture = to_json(network);
  weights.provenance = import_provenance(file, note);
  return weights;
}

}  // namespace chiaro
