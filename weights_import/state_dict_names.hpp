// How the parameters of chiaro's networks are called and laid out in PyTorch state dicts, in both directions.
//
//   transform_net   pytorch/examples fast_neural_style, TransformerNet: conv1.conv2d.weight, in1.weight
//   (gamma),
//                   in1.bias (beta), res1.conv1.conv2d..., res1.in1..., deconv1.conv2d, in4, deconv2.conv2d,
//                   in5, deconv3.conv2d. Its convolutions before norms have biases, which the norms cancel:
//                   chiaro does not keep them, writes them as zeros (so that strict loading works) and
//                   ignores them. The names are the same for options that TransformerNet itself does not
//                   have.
//   vgg16, vgg19    torchvision: features.{i}.weight and .bias, i counting convolutions, ReLUs and poolings
//   resnet_upproj   chiaro's own names
//
// Weights of convolutions are (K,R,S,C) here and (K,C,R,S) there. Those of transposed convolutions are
// (C,R,S,K) here and (C,K,R,S) there, the layout of torch.nn.ConvTranspose2d: the same permutation. Rows and
// columns are never flipped, since both define y[2p + r - 1, 2q + s - 1] += x[p, q] * w[r, s].
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/weights_file.hpp"
#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

// The architecture of a transform network, spelled as in weights files (see layers/nets/transform_net.hpp).
struct TransformArchitecture {
  std::int64_t width = 32, residual_blocks = 5;
  std::string upsample = "nearest";  // or "transposed"
  std::string padding = "reflect";   // or "zero"
  double norm_eps = 1e-5;
  std::string output = "linear";  // or "tanh150"
};
std::string to_json(const TransformArchitecture& architecture);
// Unknown keys and missing or impossible values are Errors that begin with `where`.
TransformArchitecture parse_transform_architecture(const std::string& json, const std::string& where);

enum class TensorLayout {
  Same,
  ChannelsLast,  // (a,r,s,b) here, (a,b,r,s) there
  OutputLast,    // (k,r,s,c) here, (r,s,c,k) there: TensorFlow's HWIO
  Zeros,         // not kept here: written as zeros, ignored when read
};

struct TensorMapping {
  std::string native;                      // "" for Zeros
  std::vector<std::int64_t> native_shape;  // for Zeros the foreign shape
  std::string foreign;
  TensorLayout layout = TensorLayout::Same;

  std::vector<std::int64_t> foreign_shape() const;
  std::int64_t count() const;
};

// In the order of both the network and the state dict.
std::vector<TensorMapping> transform_net_mappings(const TransformArchitecture& architecture);
// last_conv: "conv4_2" leaves out what follows, "" nothing.
std::vector<TensorMapping> vgg_mappings(int depth, std::int64_t width = 64,
                                        const std::string& last_conv = "");
// One tensor whose name stays; four dimensions are taken for a convolution.
TensorMapping same_name_mapping(const std::string& name, const std::vector<std::int64_t>& native_shape);

// The mappings of a whole network by its kind and architecture. `tensors`: names and native shapes of its
// parameters, used for resnet_upproj only (their values are not). Errors begin with `where`.
std::vector<TensorMapping> network_mappings(const std::string& kind, const std::string& architecture,
                                            const std::vector<NamedTensor>& tensors,
                                            const std::string& where);

// One tensor by its mapping; values.size() must be that of the shape. Zeros cannot become native.
NamedTensor to_foreign(const TensorMapping& mapping, const std::vector<float>& values);
NamedTensor to_native(const TensorMapping& mapping, const std::vector<float>& values);

// All parameters of a network as a state dict. Missing, unknown and misshapen tensors are Errors.
std::vector<NamedTensor> to_state_dict(const WeightsFile& weights);
// And back from a file, tensor by tensor, in the order of the mappings; the same Errors.
std::vector<NamedTensor> from_state_dict(const std::vector<TensorMapping>& mappings, const TensorFile& file);

}  // namespace chiaro
