// A VGG that nobody trained: random orthogonal filters, zero biases.
//
// Stands in for a loss network when there is no weights file: Gram matrices of random features still describe
// textures, though worse than those of trained ones. Filter banks whose rows are orthogonal with squared norm
// 2 keep the mean square of activations about the same through convolution and ReLU. Where there are more
// filters than inputs (conv1_1), the columns are orthogonal instead and the mean squared norm of the filters
// is 2. Same arguments give the same bits on one machine, whatever the number of threads. Sources: Saxe,
// McClelland, Ganguli, arXiv:1312.6120 (orthogonal); He et al., arXiv:1502.01852 (the factor 2).
#pragma once
#include <cstdint>
#include <string>

#include "engine/io/weights_file.hpp"

namespace chiaro {

// depth, width and up_to_layer as in layers/networks/vgg/vgg.hpp. A layer's values depend on width, seed and its own
// place only, so that a network cut short equals the beginning of the whole one. Preprocessing as for Caffe's
// VGG.
WeightsFile random_vgg(int depth, int width, std::uint64_t seed, const std::string& up_to_layer = "");

}  // namespace chiaro
