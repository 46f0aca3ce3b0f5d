// The transform network f_W: one forward pass restyles a picture (Johnson et al. 2016, arXiv:1603.08155, with
// the instance norm of Ulyanov et al. 2016; widths and order of pytorch/examples fast_neural_style).
//
//   9x9 conv -> 3x3 conv /2 -> 3x3 conv /2 -> residual blocks -> x2 3x3 conv -> x2 3x3 conv -> 9x9 conv
// Every convolution but the last is followed by instance norm and (except at the end of a residual block)
// ReLU, and has no bias: the norm would cancel it. There is no ReLU after a residual sum.
//
// Several styles in one network are conditional instance norm (Dumoulin, Shlens, Kudlur 2017, arXiv:1610.07629): every
// gamma and beta is a table with a row for each style, and a picture's are mixed by its shares of the styles.
//
// Input: picture (N,H,W,3), RGB 0..255, fp32. Output: the same shape, fp32, RGB 0..255 but not clamped. H, W
// >= 16; a size that is no multiple of 4 is reflected out to one at the bottom and right, and the output
// cropped. Parameters: conv1.weight, norm1.gamma, norm1.beta, conv2.., conv3.., res{i}.conv1.weight,
// res{i}.norm1.gamma, ..., up1.weight, norm4.., up2.weight, norm5.., out.weight, out.bias.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/graph.hpp"

namespace chiaro {

enum class Upsample { Nearest, Transposed };
enum class Padding { Reflect, Zero };
enum class OutputRange { Linear, Tanh150, Scaled150 };  // x, 150 tanh(x) + 127.5, 150 x + 127.5

struct TransformNetConfig {
  std::int64_t width = 32;  // channels of the first convolution
  std::int64_t residual_blocks = 5;
  Upsample upsample = Upsample::Nearest;
  Padding padding = Padding::Reflect;
  double norm_eps = 1e-5;
  OutputRange output = OutputRange::Linear;
  std::vector<std::string> styles =
      {};  // their names, in the order of the rows; none: one style without a name

  std::int64_t rows() const { return styles.empty() ? 1 : static_cast<std::int64_t>(styles.size()); }
  bool operator==(const TransformNetConfig&) const = default;
};

inline constexpr std::int64_t kTransformNetMinimumSize = 16;

// Adds the network to the graph, its parameters to the store, and returns the output picture. `dtype` is that
// of activations and working weights. shares: of several styles in every picture, (N,1,1,rows), fp32, that add up to 1;
// a network of one style takes none.
TensorId build_transform_net(Graph& graph, ParamStore& store, TensorId picture,
                             const TransformNetConfig& config, DType dtype, TensorId shares = -1);

// The parameters of the network without a graph.
void declare_transform_net(ParamStore& store, const TransformNetConfig& config);

// Initial values: weights U(-1/sqrt(fan_in), 1/sqrt(fan_in)) as PyTorch's convolutions, gamma 1, beta 0,
// output bias mid-gray (127.5) for a linear output, else 0; every style alike. Depends on the seed and the names only.
void initialize_transform_net(ParamStore& store, const TransformNetConfig& config, std::uint64_t seed);

// Architecture as JSON for a weights file, and back. Unknown or missing keys are Errors that name the file.
std::string transform_net_to_json(const TransformNetConfig& config);
TransformNetConfig transform_net_from_json(const std::string& json, const std::string& file);

}  // namespace chiaro
