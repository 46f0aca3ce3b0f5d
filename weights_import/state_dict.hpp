// The parameters of networks as state dicts of PyTorch, in both directions. The names are those that the networks'
// descriptions give (layers/networks): pytorch/examples' for transform networks, torchvision's for VGGs, chiaro's own for
// ResNet-UpProj.
//
// Weights of convolutions are (K,R,S,C) here and (K,C,R,S) there. Those of transposed convolutions are (C,R,S,K) here and
// (C,K,R,S) there, the layout of torch.nn.ConvTranspose2d: the same permutation. Rows and columns are never flipped, since
// both define y[2p + r - 1, 2q + s - 1] += x[p, q] * w[r, s].
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/io/weights_file.hpp"
#include "layers/networks/parameters.hpp"
#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

// One tensor by its mapping; values.size() must be that of the shape. Zeros cannot become native.
NamedTensor to_foreign(const TensorMapping& mapping, const std::vector<float>& values);
NamedTensor to_native(const TensorMapping& mapping, const std::vector<float>& values);

// All parameters of a network as a state dict. Missing, unknown and misshapen tensors are Errors.
std::vector<NamedTensor> to_state_dict(const WeightsFile& weights);
// And back from a file, tensor by tensor, in the order of the mappings; the same Errors.
std::vector<NamedTensor> from_state_dict(const std::vector<TensorMapping>& mappings, const TensorFile& file);

}  // namespace chiaro
