// ResNet-UpProj: depth from one picture (Laina et al. 2016, "Deeper depth prediction with fully convolutional
// residual networks", arXiv:1606.00373; layer names and details of irolaina/FCRN-DepthPrediction,
// TensorFlow).
//
// ResNet-50 encoder with Caffe's stride in the first 1x1 convolution of a stage, 1x1 convolution to half the
// channels, four up-projections (interleaved convolutions), 3x3 prediction with ReLU: meters, one channel,
// 16 * ceil(H/32) x 16 * ceil(W/32). Input: picture (N,H,W,3), RGB 0..255, by default without mean and scale.
// Smaller networks leave out stage 5, start the decoder with fewer channels, or end it earlier.
//
// Inference form: every batch norm is folded into the convolution before it, and the two branches of an
// up-projection share four convolutions with twice the channels. So the store holds fewer tensors than a
// file: load_resnet_upproj() takes the file's tensors (raw names, resnet_upproj_parameters()) to the store.
// Feature names: conv1, pool1, res2a ... res5c, layer1, up_2x, up_4x, up_8x, up_16x, prediction.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/graph.hpp"
#include "engine/io/weights_file.hpp"

namespace chiaro {

struct ResnetUpprojConfig {
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
  Preprocess preprocess;
};

std::vector<std::string> resnet_upproj_feature_names(const ResnetUpprojConfig& config);

// Names and shapes of the parameters as a file holds them: {scope}.weight (K,R,S,C), {scope}.bias (C), and
// for batch norms {scope}.scale, .offset, .mean, .variance (C), epsilon 1e-4.
struct ParameterShape {
  std::string name;
  std::vector<std::int64_t> shape;
};
std::vector<ParameterShape> resnet_upproj_parameters(const ResnetUpprojConfig& config);

// Adds the network up to the deepest of `features`; see build_vgg.
std::map<std::string, TensorId> build_resnet_upproj(Graph& graph, ParamStore& store, TensorId picture,
                                                    const ResnetUpprojConfig& config, DType dtype,
                                                    const std::vector<std::string>& features,
                                                    const std::string& prefix);

// Folds the batch norms of a file's tensors and fills an allocated store with what it declares. Missing
// tensors and wrong shapes are Errors that name `file`.
void load_resnet_upproj(ParamStore& store, const ResnetUpprojConfig& config,
                        const std::vector<NamedTensor>& tensors, const std::string& file);

}  // namespace chiaro
