#include "kernels/base/error.hpp"
#include "layers/networks/resnet_upproj/resnet_upproj.hpp"
#include "weights_import/network_imports.hpp"
#include "weights_import/tensor_table.hpp"

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

// Whether it is TensorFlow's file, and the network that its shapes tell of.
struct RecognizedUpproj {
  bool tensorflow = false;
  ResnetUpproj network;
};

RecognizedUpproj recognize(const TensorFile& file) {
  for (const bool tensorflow : {true, false}) {
    const std::string weights = tensorflow ? "/weights" : ".weight";
    const auto find = [&](const std::string& scope) { return file.find(scope + weights); };
    const TensorInfo *first = find("conv1"), *last = find("ConvPred"), *decoder = find("layer1");
    if (!first || !last || first->shape.size() != 4) continue;
    const std::size_t out = tensorflow ? 3 : 0;  // the axis of a weight's outputs
    RecognizedUpproj found{tensorflow,
                           {.width = first->shape[out], .has_stage5 = find("res5a_branch1") != nullptr}};
    ResnetUpproj& network = found.network;
    require(network.width >= 1 && network.width <= 1024, "{}: conv1 has {} channels, expected 64",
            file.file(), network.width);
    if (decoder && decoder->shape.size() == 4 && decoder->shape[out] != 16 * network.width)
      network.decoder_width = decoder->shape[out];
    while (network.up_projections > 1 && !find(stages(network).up_projections.back().conv.scope))
      --network.up_projections;
    return found;
  }
  throw_wrong_network(file, "resnet_upproj", kUpprojNames);
}

std::string choose_padding(const TensorFile& file, bool tensorflow, const std::string& asked) {
  if (asked != "auto") return asked;
  if (tensorflow) return "nyu";  // the only one released in this form
  throw Error("{}: does not say which padding it was trained with: give --padding nyu or --padding make3d",
              file.file());
}

}  // namespace

WeightsFile import_resnet_upproj(const TensorFile& file, const ImportOptions& options) {
  auto [tensorflow, network] = recognize(file);
  if (choose_padding(file, tensorflow, options.padding) == "make3d")
    network.padding = ResnetUpproj::Side::Make3d;
  std::vector<TensorMapping> mappings = state_dict(network);
  for (TensorMapping& mapping : mappings) {
    if (!tensorflow) break;
    mapping.foreign = tensorflow_name(mapping.native);
    if (mapping.layout == TensorLayout::ChannelsLast) mapping.layout = TensorLayout::OutputLast;
  }
  WeightsFile weights;
  weights.kind = "resnet_upproj";
  weights.parameters = read_tensors(file, mappings, options);
  weights.provenance = import_provenance(file, "");
  weights.preprocess = to_json(Preprocess{});
  weights.architecture = to_json(network);
  return weights;
}

}  // namespace chiaro
