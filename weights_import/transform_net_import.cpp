#include <nlohmann/json.hpp>

#include "kernels/base/error.hpp"
#include "layers/networks/transform_net/transform_net.hpp"
#include "weights_import/network_imports.hpp"
#include "weights_import/tensor_table.hpp"

namespace chiaro {
namespace {

constexpr const char* kTransformNetNames =
    "the tensors of pytorch/examples' TransformerNet, from conv1.conv2d.weight (32,3,9,9) to "
    "deconv3.conv2d.bias";

TransformNet network_of(const TensorFile& file) {
  const TensorInfo* first = file.find("conv1.conv2d.weight");
  const TensorInfo* up = file.find("deconv1.conv2d.weight");
  const bool plausible =
      first && up && first->shape.size() == 4 && first->shape[1] == 3 && up->shape.size() == 4;
  if (!plausible) throw_wrong_network(file, "transform_net", kTransformNetNames);
  TransformNet network;
  network.width = first->shape[0];
  network.residual_blocks = 0;
  while (file.find(fmt::format("res{}.conv1.conv2d.weight", network.residual_blocks + 1)))
    ++network.residual_blocks;
  // (out, in) of a convolution, (in, out) of a transposed one; it halves the channels.
  if (up->shape[0] == 2 * up->shape[1]) network.upsample = Upsample::Transposed;
  return transform_net_from_json(to_json(network), file.file());  // checks the bounds
}

}  // namespace

WeightsFile import_transform_net(const TensorFile& file, const ImportOptions& options) {
  const TransformNet network = network_of(file);
  WeightsFile weights;
  weights.kind = "transform_net";
  weights.architecture = to_json(network);
  weights.preprocess = to_json(Preprocess{});
  weights.provenance = import_provenance(file, "");
  weights.parameters = read_tensors(file, state_dict(network), options);
  return weights;
}

}  // namespace chiaro
