// The convolutions of VGG-16 and VGG-19, in the order in which they run.
//
// All are 3x3, stride 1, zero padding 1, followed by a ReLU; a 2x2 max-pool follows each of the five blocks.
// Parameters of conv1_1 are named conv1_1.weight (K,3,3,C) and conv1_1.bias (K).
// Source: Simonyan, Zisserman, arXiv:1409.1556, configurations D (16) and E (19).
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace chiaro {

struct ConvShape {
  int block = 0, index = 0;  // both from 1
  std::int64_t in_channels = 0, out_channels = 0;

  std::string name() const { return "conv" + std::to_string(block) + "_" + std::to_string(index); }
  std::array<std::int64_t, 4> weight_shape() const { return {out_channels, 3, 3, in_channels}; }  // KRSC
  std::int64_t weight_count() const { return out_channels * 9 * in_channels; }
};

// depth: 16 or 19, else Error. width: channels of the first block; 64 in the published networks.
std::vector<ConvShape> vgg_convs(int depth, int width = 64);

// Only the convolutions that a layer needs: "relu4_2" or "conv4_2" ends with conv4_2, "pool4" with the last
// one of block 4, "" keeps all. Throws Error, with the nearest name, for a layer that the network does not
// have.
std::vector<ConvShape> vgg_convs_up_to(int depth, const std::string& layer, int width = 64);

}  // namespace chiaro
