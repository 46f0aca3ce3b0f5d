// ResNet-UpProj as data: depth from one picture.
//
// ResNet-50 encoder with Caffe's stride in the first 1x1 convolution of a stage, 1x1 convolution to half the
// channels, four up-projections (interleaved convolutions), 3x3 prediction with ReLU: meters, one channel, 16
// * ceil(H/32) x 16 * ceil(W/32). Input: picture (N,H,W,3), RGB 0..255, by default without mean and scale.
// Smaller networks leave out stage 5, start the decoder with fewer channels, or end it earlier.
//
// Feature names: conv1, pool1, res2a ... res5c, layer1, up_2x, up_4x, up_8x, up_16x, prediction.
// Its inference form (upproj_graph.hpp), its training form (upproj_training.hpp) and the importers walk
// stages().
// Source: Laina et al. 2016, "Deeper depth prediction with fully convolutional residual networks",
// arXiv:1606.00373; scopes and details of irolaina/FCRN-DepthPrediction, TensorFlow.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "engine/io/weights_file.hpp"
#include "kernels/conv2d/conv2d.hpp"
#include "layers/networks/parameters.hpp"

namespace chiaro {

struct ResnetUpproj {
  // Which side of the 2-tap kernels of an up-projection is zero-padded. NYU was trained with top/left, Make3D
  // was converted to bottom/right; the wrong one shifts features silently (author's answer, FCRN issue #40).
  enum class Side { Nyu, Make3d };

  std::int64_t width = 64;  // channels of the stem; everything else scales with it
  bool has_stage5 = true;   // false: res5a-c are left out and layer1 follows res4f
  // Channels of layer1, halved by every up-projection; 0: 16 * width, as published. A multiple of
  // 2^up_projections.
  std::int64_t decoder_width = 0;
  int up_projections = 4;  // 1 to 4; each doubles height and width
  Side padding = Side::Nyu;
  Preprocess preprocess = {};
};

inline constexpr float kUpprojNormEps = 1e-4f;  // of the batch norms

// A convolution with the batch norm behind it.
struct UpprojConvolution {
  std::string scope;  // {scope}.weight (K,R,S,C), {scope}.bias (C) where the file has one
  std::string norm;   // {norm}.scale, .offset, .mean, .variance (C); "" behind the prediction
  bool has_bias = false;
  std::int64_t k = 0, r = 0, s = 0, c = 0;
  std::int64_t stride = 1;
  conv2d::Padding pad = {};
};

// relu(c(relu(b(relu(a(x))))) + shortcut(x)); without a shortcut x itself.
struct UpprojBottleneck {
  std::string feature;  // "res3a"
  std::optional<UpprojConvolution> shortcut;
  UpprojConvolution a, b, c;
};

// relu(conv(relu(main(x))) + shortcut(x)), where main and shortcut are four convolutions each, whose outputs
// are the phases (0,0) (0,1) (1,0) (1,1) of a picture of twice the size and share a batch norm.
struct UpProjection {
  std::string feature, scope;  // "up_2x", "layer2x"
  std::array<UpprojConvolution, 4> main, shortcut;
  std::array<char, 4> letters;  // of the four, as the scopes end
  UpprojConvolution conv;
};

struct UpprojStages {
  UpprojConvolution conv1;  // then ReLU and 3x3 max pooling, stride 2
  std::vector<UpprojBottleneck> bottlenecks;
  UpprojConvolution layer1;
  std::vector<UpProjection> up_projections;
  UpprojConvolution prediction;
};

UpprojStages stages(const ResnetUpproj& network);

std::vector<std::string> feature_names(const ResnetUpproj& network);

// What a file holds, in its order.
std::vector<ParameterShape> parameters(const ResnetUpproj& network);

// The names stay; weights are (K,C,R,S) there.
std::vector<TensorMapping> state_dict(const ResnetUpproj& network);

// The architecture in a weights file, and what a file says of it. Errors name the file.
std::string to_json(const ResnetUpproj& network);
ResnetUpproj resnet_upproj_of(const WeightsFile& weights, const std::string& file);

}  // namespace chiaro
