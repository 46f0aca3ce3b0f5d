// How Caffe's VGG-19, the weights of Simonyan and Zisserman, is recognized in whatever file it comes.
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace chiaro {

// (K,R,S,3): the order of the input channels turned around, BGR to RGB and back.
inline std::vector<float> with_channels_reversed(std::vector<float> krsc) {
  for (std::size_t i = 0; i + 2 < krsc.size(); i += 3) std::swap(krsc[i], krsc[i + 2]);
  return krsc;
}

// Whether these are the weights of its conv1_1, (64,3,3,3) KRSC with input channels in the order B G R, bit
// for bit: their 64-bit FNV-1a, over little-endian bytes, is compared.
inline bool is_caffe_vgg19_first_layer(const std::vector<float>& krsc_bgr) {
  std::uint64_t hash = 14695981039346656037u;
  for (const float value : krsc_bgr) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) hash = (hash ^ ((bits >> shift) & 0xffu)) * 1099511628211u;
  }
  return hash == 0x9b9f35148528ef24u;
}

}  // namespace chiaro
