#include <nlohmann/json.hpp>

#include "kernels/base/error.hpp"
#include "weights_import/network_imports.hpp"
#include "weights_import/tensor_table.hpp"

namespace chiaro {
namespace {

constexpr const char* kTransformNetNames =
    "the tensors of pytorch/examples' TransformerNet, from conv1.conv2d.weight (32,3,9,9) to "
    "deconv3.conv2d.bias";

TransformArchitecture architecture_of(const TensorFile& file) {
  const TensorInfo* first = file.find("conv1.conv2d.weight");
  const TensorInfo* up = file.find("deconv1.conv2d.weight");
  const bool plausible =
      first && up && first->shape.size() == 4 && first->shape[1] == 3 && up->shape.size() == 4;
  if (!plausible) throw_wrong_network(file, "transform_net", kTransformNetNames);
  TransformArchitecture architecture;
  architecture.width = first->shape[0];
  architecture.residual_blocks = 0;
  while (file.find(fmt::format("res{}.conv1.conv2d.weight", architecture.residual_blocks + 1)))
    ++architecture.residual_blocks;
  // (out, in) of a convolution, (in, out) of a transposed one; it halves the channels.
  if (up->shape[0] == 2 * up->shape[1]) architecture.upsample = "transposed";
  return parse_transform_architecture(to_json(architecture), file.file());  // checks the bounds
}

}  // namespace

WeightsFile import_transform_net(const TensorFile& file, const ImportOptions& options) {
  const TransformArchitecture architecture = architecture_of(file);
  WeightsFile weights;
  weights.kind = "transform_net";
  weights.architecture = to_json(architecture);
  weights.preprocess = to_json(Preprocess{});
  weights.provenance = import_provenance(file, "");
  weights.parameters = read_tensors(file, transform_net_mappings(architecture), options);
  return weights;
}

}  // namespace chiaro
