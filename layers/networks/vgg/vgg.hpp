// VGG-16 and VGG-19, convolutional part, as data: frozen loss networks.
//
// 3x3 convolutions with bias, zero padding 1 and ReLU; 2x2 max pooling after each of five blocks. Feature
// names: conv{b}_{i} (before the ReLU), relu{b}_{i}, pool{b}. Input: picture (N,H,W,3), RGB 0..255.
// Preprocessing travels with the weights.
//
// A convolution can be in two factors of low rank, which together cost a fraction: 3x3 to `rank` channels
// without bias, conv{b}_{i}.reduce.weight, then 1x1 to its channels, conv{b}_{i}.weight and .bias. Features,
// their channels and their Gram matrices mean what they mean in the whole network.
// Source: Simonyan, Zisserman 2014, arXiv:1409.1556, configurations D (16) and E (19); factors, Zhang et al.
// 2015, arXiv:1505.06798.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/io/weights_file.hpp"
#include "layers/networks/parameters.hpp"

namespace chiaro {

inline constexpr int kVggBlocks = 5;

struct Vgg {
  int depth = 19;                                  // 16 or 19
  std::int64_t width = 64;                         // channels of the first block; then 2, 4, 8, 8 times that
  std::string last_conv = {};                      // "conv4_2": what follows is left out; "" = nothing is
  std::map<std::string, std::int64_t> ranks = {};  // of the convolutions in two factors
  Preprocess preprocess = {};
};

struct VggConvolution {
  int block = 0, index = 0;  // both from 1
  std::int64_t in_channels = 0, out_channels = 0;
  std::int64_t rank = 0;    // 0: whole
  bool ends_block = false;  // a pooling follows

  std::string name() const { return "conv" + std::to_string(block) + "_" + std::to_string(index); }
  std::string relu() const { return "relu" + std::to_string(block) + "_" + std::to_string(index); }
  std::string pool() const { return "pool" + std::to_string(block); }
  // {name}.reduce.weight of a factored one, {name}.weight, {name}.bias.
  std::vector<ParameterShape> parameters() const;
};

// In the order in which they run, up to last_conv. Errors: depths other than 16 and 19, a width below 1, an
// unknown last_conv, ranks of what is no convolution.
std::vector<VggConvolution> convolutions(const Vgg& network);

// Only the convolutions that the features need, whatever last_conv is: "relu4_2" and "conv4_2" end with
// conv4_2, "pool4" with the last one of block 4. An unknown feature is an Error that suggests the nearest
// one.
std::vector<VggConvolution> convolutions_for(const Vgg& network, const std::vector<std::string>& features);

// All feature names, in order.
std::vector<std::string> feature_names(const Vgg& network);

std::vector<ParameterShape> parameters(const Vgg& network);

// Their names in torchvision's state dicts: features.{i}.weight, features.{i}.bias; of a factored convolution
// features.{i}.reduce.weight too.
std::vector<TensorMapping> state_dict(const Vgg& network);

// The architecture in a weights file, and what the file of a vgg16 or vgg19 says of it. Errors name the file.
std::string to_json(const Vgg& network);
Vgg vgg_of(const WeightsFile& weights, const std::string& file);

// "VGG-19", for messages.
std::string vgg_name(const Vgg& network);
// The deepest of the features in the order of the network; unknown names as above.
std::string deepest_vgg_feature(const Vgg& network, const std::vector<std::string>& features);

}  // namespace chiaro
