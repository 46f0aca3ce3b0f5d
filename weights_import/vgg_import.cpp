#include <nlohmann/json.hpp>
#include <optional>

#include "kernels/base/error.hpp"
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

// "features." or "", before the numbers of the layers.
std::string find_prefix(const TensorFile& file, int depth) {
  const std::string kind = fmt::format("vgg{}", depth);
  for (const std::string prefix : {"features.", ""}) {
    const TensorInfo* first = file.find(prefix + "0.weight");
    const bool is_vgg = first && first->shape.size() == 4 && first->shape[1] == 3 && first->shape[2] == 3;
    if (!is_vgg || file.find(prefix + "1.running_mean")) continue;
    const bool is_19 = file.find(prefix + "16.weight"), is_16 = !is_19 && file.find(prefix + "17.weight");
    if ((depth == 19 && is_16) || (depth == 16 && is_19)) break;
    return prefix;
  }
  throw_wrong_network(file, kind, usual_file(depth));
}

// Ends the list where the file's network ends: people keep only the layers that they use.
std::vector<TensorMapping> present_mappings(const TensorFile& file, int depth, const std::string& prefix) {
  const std::int64_t width = file.find(prefix + "0.weight")->shape[0];
  std::vector<TensorMapping> mappings = vgg_mappings(depth, width);
  for (TensorMapping& mapping : mappings) mapping.foreign.replace(0, std::string("features.").size(), prefix);
  while (mappings.size() > 2 && !file.find(mappings[mappings.size() - 1].foreign) &&
         !file.find(mappings[mappings.size() - 2].foreign))
    mappings.resize(mappings.size() - 2);
  return mappings;
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
  const std::vector<TensorMapping> mappings = present_mappings(file, depth, prefix);
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
  const std::string last = mappings.back().native;
  weights.architecture = nlohmann::ordered_json{{"depth", depth},
                                                {"width", file.find(prefix + "0.weight")->shape[0]},
                                                {"last_conv", last.substr(0, last.find('.'))}}
                             .dump();
  weights.provenance = import_provenance(file, note);
  return weights;
}

}  // namespace chiaro
