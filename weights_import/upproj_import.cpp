#include <array>
#include <nlohmann/json.hpp>

#include "kernels/base/error.hpp"
#include "weights_import/network_imports.hpp"
#include "weights_import/tensor_table.hpp"
#include "weights_import/upproj_scopes.hpp"

namespace chiaro {
namespace {

constexpr const char* kUpprojNames =
    "the tensors of NYU_ResNet-UpProj.npy, from conv1/weights to ConvPred/biases";

// "conv1.weight" is "conv1/weights" there.
std::string tensorflow_name(const std::string& name) {
  const auto dot = name.rfind('.');
  std::string part = name.substr(dot + 1);
  if (part == "weight") part = "weights";
  if (part == "bias") part = "biases";
  return name.substr(0, dot) + "/" + part;
}

struct UpprojNetwork {
  bool tensorflow = false;
  std::int64_t width = 64;
  bool has_stage5 = true;
};

UpprojNetwork recognize(const TensorFile& file) {
  for (const bool tensorflow : {true, false}) {
    const TensorInfo* first = file.find(tensorflow ? "conv1/weights" : "conv1.weight");
    const TensorInfo* last = file.find(tensorflow ? "ConvPred/weights" : "ConvPred.weight");
    if (!first || !last || first->shape.size() != 4) continue;
    return {tensorflow, first->shape[tensorflow ? 3 : 0],
            file.find(tensorflow ? "res5a_branch1/weights" : "res5a_branch1.weight") != nullptr};
  }
  throw_wrong_network(file, "resnet_upproj", kUpprojNames);
}

std::string choose_padding(const TensorFile& file, const UpprojNetwork& network, const std::string& asked) {
  if (asked != "auto") return asked;
  if (network.tensorflow) return "nyu";  // the only one released in this form
  throw Error("{}: does not say which padding it was trained with: give --padding nyu or --padding make3d",
              file.file());
}

}  // namespace

WeightsFile import_resnet_upproj(const TensorFile& file, const ImportOptions& options) {
  const UpprojNetwork network = recognize(file);
  require(network.width >= 1 && network.width <= 1024, "{}: conv1 has {} channels, expected 64", file.file(),
          network.width);
  std::vector<TensorMapping> mappings;
  for (const UpprojTensor& tensor : upproj_tensors(static_cast<int>(network.width), network.has_stage5)) {
    TensorMapping mapping = same_name_mapping(tensor.name, tensor.shape);
    if (network.tensorflow) {
      mapping.foreign = tensorflow_name(tensor.name);
      if (mapping.layout == TensorLayout::ChannelsLast) mapping.layout = TensorLayout::OutputLast;
    }
    mappings.push_back(std::move(mapping));
  }
  WeightsFile weights;
  weights.kind = "resnet_upproj";
  weights.parameters = read_tensors(file, mappings, options);
  weights.provenance = import_provenance(file, "");
  weights.preprocess = to_json(Preprocess{});
  weights.architecture = nlohmann::ordered_json{{"width", network.width},
                                                {"encoder", network.has_stage5 ? "resnet50" : "resnet50-c4"},
                                                {"padding", choose_padding(file, network, options.padding)}}
                             .dump();
  return weights;
}

WeightsFile import_network(const TensorFile& file, const std::string& kind, const ImportOptions& options) {
  if (kind == "transform_net") return import_transform_net(file, options);
  if (kind == "resnet_upproj") return import_resnet_upproj(file, options);
  return import_vgg(file, kind == "vgg16" ? 16 : 19, options);
}

}  // namespace chiaro
