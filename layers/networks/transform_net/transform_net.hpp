// The transform network f_W as data: all that is true of it. One forward pass restyles a picture.
//
//   9x9 conv -> 3x3 conv /2 -> 3x3 conv /2 -> residual blocks -> x2 3x3 conv -> x2 3x3 conv -> 9x9 conv
//
// Every convolution but the last is followed by instance norm and (except at the end of a residual block)
// ReLU, and has no bias: the norm would cancel it. There is no ReLU after a residual sum.
//
// Several styles in one network are conditional instance norm: every gamma and beta is a table with a row for
// each style, and a picture's are mixed by its shares of the styles.
//
// Graph, banded form, PyTorch's names, importer and ONNX export walk stages(), so none of them describes the
// network again.
// Source: Johnson et al. 2016, arXiv:1603.08155; instance norm, Ulyanov et al. 2016, arXiv:1607.08022; widths
// and order, pytorch/examples fast_neural_style; several styles, Dumoulin, Shlens, Kudlur 2017,
// arXiv:1610.07629.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "layers/networks/parameters.hpp"

namespace chiaro {

// The names of their values in files and configurations follow each.
enum class Upsample { Nearest, Transposed };
inline constexpr std::array kUpsampleNames{"nearest", "transposed"};
enum class Padding { Reflect, Zero };
inline constexpr std::array kPaddingNames{"reflect", "zero"};
enum class OutputRange { Linear, Tanh150, Scaled150 };  // x, 150 tanh(x) + 127.5, 150 x + 127.5
inline constexpr std::array kOutputRangeNames{"linear", "tanh150", "scaled150"};

struct TransformNet {
  std::int64_t width = 32;  // channels of the first convolution
  std::int64_t residual_blocks = 5;
  Upsample upsample = Upsample::Nearest;
  Padding padding = Padding::Reflect;
  double norm_eps = 1e-5;
  OutputRange output = OutputRange::Linear;
  std::vector<std::string> styles =
      {};  // their names, in the order of the rows; none: one style without a name

  std::int64_t rows() const { return styles.empty() ? 1 : static_cast<std::int64_t>(styles.size()); }
  bool operator==(const TransformNet&) const = default;
};

inline constexpr std::int64_t kTransformNetMinimumSize = 16;  // of a picture, pixels

// A convolution with the instance norm that follows it.
struct TransformStage {
  std::string conv,
      norm;  // {conv}.weight; {norm}.gamma, {norm}.beta; norm "" after the last, which has a bias
  std::string torch_conv, torch_norm;  // as pytorch/examples calls them
  std::int64_t in_channels = 0, out_channels = 0;
  std::int64_t extent = 3, stride = 1;
  bool up = false;   // doubles height and width: nearest upsampling first, or a transposed convolution
  bool relu = true;  // behind the norm
  bool opens_block = false;   // its input is the shortcut of a residual block
  bool closes_block = false;  // the shortcut is added behind its norm

  bool is_last() const { return norm.empty(); }
};

// In the order in which they run.
std::vector<TransformStage> stages(const TransformNet& network);

// In the order of the stages: {conv}.weight (K,R,S,C), of a transposed convolution (C,R,S,K); {norm}.gamma,
// {norm}.beta; out.bias.
std::vector<ParameterShape> parameters(const TransformNet& network);

// Their names in the state dict of pytorch/examples, whose convolutions have biases that a norm cancels.
std::vector<TensorMapping> state_dict(const TransformNet& network);

// The architecture in a weights file, and back. Unknown, missing or impossible values are Errors that name
// the file.
std::string to_json(const TransformNet& network);
TransformNet transform_net_from_json(const std::string& json, const std::string& file);

}  // namespace chiaro
