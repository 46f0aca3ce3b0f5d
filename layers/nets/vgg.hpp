// VGG-16 and VGG-19, convolutional part, as frozen loss networks (Simonyan & Zisserman 2014,
// arXiv:1409.1556).
//
// 3x3 convolutions with bias, zero padding 1 and ReLU; 2x2 max pooling after each of five blocks. Feature
// names: conv{b}_{i} (before the ReLU), relu{b}_{i}, pool{b}. Parameters: conv{b}_{i}.weight,
// conv{b}_{i}.bias. Input: picture (N,H,W,3), RGB 0..255. Preprocessing travels with the weights.
//
// A convolution can be in two factors of low rank, which together cost a fraction (Zhang et al. 2015, arXiv:1505.06798):
// 3x3 to `rank` channels without bias, conv{b}_{i}.reduce.weight, then 1x1 to its channels, conv{b}_{i}.weight and .bias.
// Features, their channels and their Gram matrices mean what they mean in the whole network.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/graph.hpp"
#include "engine/io/weights_file.hpp"

namespace chiaro {

struct VggConfig {
  int depth = 19;           // 16 or 19
  std::int64_t width = 64;  // channels of the first block; then 2, 4, 8, 8 times that
  Preprocess preprocess;
  std::map<std::string, std::int64_t> ranks = {};  // of the convolutions in two factors
};

inline constexpr int kVggBlocks = 5;

// All feature names in network order.
std::vector<std::string> vgg_feature_names(int depth);

// Channels of a feature, and the convolution ("conv3_4") that it is made of.
std::int64_t vgg_channels(const VggConfig& config, const std::string& feature);
std::string vgg_convolution(int depth, const std::string& feature);

// Adds the network up to the deepest of `features` and returns their tensors by name. An unknown name is an
// Error that suggests the nearest one. `prefix` goes before the node names, so that the network can run twice in a graph.
std::map<std::string, TensorId> build_vgg(Graph& graph, ParamStore& store, TensorId picture,
                                          const VggConfig& config, DType dtype,
                                          const std::vector<std::string>& features,
                                          const std::string& prefix);

}  // namespace chiaro
