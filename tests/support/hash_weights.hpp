// Pseudo-random tensors that tests and tests/golden/make_golden.py compute identically, so that no golden
// file needs to store weights. The twin, with the reasons for every constant, is tests/golden/hash_values.py.
//
// An element is a function of the tensor's name, a seed and its index in chiaro's layout (weights KRSC,
// activations NHWC): base + amplitude * u, with u in [-1, 1) a multiple of 2^-23. Bit-identical on every
// machine: where base is not 0 the amplitude is a power of two, so fusing the multiplication with the
// addition changes nothing.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/error.hpp"

namespace chiaro::test {

inline constexpr std::uint32_t kSeedTransform = 1, kSeedVgg = 2, kSeedResnet = 3, kSeedPicture = 4;

// "lowbias32", C. Wellons, nullprogram.com/blog/2018/07/31.
constexpr std::uint32_t mix(std::uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

constexpr std::uint32_t fnv1a32(std::string_view text) {
  std::uint32_t h = 0x811c9dc5u;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x01000193u;
  return h;
}

// The random numbers of one tensor.
class HashStream {
 public:
  HashStream(std::string_view name, std::uint32_t seed) : key_(mix(fnv1a32(name) + seed * 0x9e3779b9u)) {}
  std::uint32_t bits(std::int64_t index) const { return mix(key_ ^ mix(static_cast<std::uint32_t>(index))); }
  float uniform(std::int64_t index) const {
    return static_cast<float>(static_cast<std::int32_t>(bits(index) >> 8) - (1 << 23)) * 0x1p-23f;
  }

 private:
  std::uint32_t key_;
};

struct HashRule {
  double base = 0, amplitude = 1;  // rounded to float before use
};
using HashRuleFunction = HashRule (*)(std::string_view name, std::span<const std::int64_t> shape);

// How a parameter of the given name and (KRSC) shape is distributed. Throws for a kind of parameter it does
// not know.
inline HashRule hash_rule(std::string_view name, std::span<const std::int64_t> shape) {
  if (name.ends_with("bn_conv1.variance")) return {1024, 512};
  if (name.ends_with("_branch2c.scale")) return {0.25, 0.125};
  if (name.ends_with("ConvPred.bias")) return {16, 0.5};
  const std::string_view kind = name.substr(name.rfind('.') + 1);
  if (kind == "weight") {
    std::int64_t fan_in = 1;
    for (const std::int64_t extent : shape.subspan(1)) fan_in *= extent;
    return {0, std::sqrt(6.0 / static_cast<double>(fan_in))};
  }
  if (kind == "bias") return {0, 0.1};
  if (kind == "gamma" || kind == "scale" || kind == "variance") return {1, 0.5};
  if (kind == "beta" || kind == "offset" || kind == "mean") return {0, 0.2};
  throw Error("hash_rule: '{}' ends with no known kind of parameter", name);
}

// The rule of train_step.h5, under which all four loss terms have gradients of comparable size.
inline HashRule train_step_rule(std::string_view name, std::span<const std::int64_t> shape) {
  if (name == "out.bias") return {128, 16};
  if (name == "bn_conv1.variance") return {256, 128};
  HashRule rule = hash_rule(name, shape);
  if (name == "out.weight") rule.amplitude *= 32;
  if (name == "conv1_1.weight") rule.amplitude *= 0.5;
  if (name == "conv4_2.weight") rule.amplitude *= 4;
  return rule;
}

// All elements of one parameter, in the order of its shape.
inline std::vector<float> hash_tensor(std::string_view name, std::span<const std::int64_t> shape,
                                      std::uint32_t seed, HashRuleFunction rule_of = hash_rule) {
  const HashRule rule = rule_of(name, shape);
  const float base = static_cast<float>(rule.base), amplitude = static_cast<float>(rule.amplitude);
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  const HashStream stream(name, seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) values[i] = base + amplitude * stream.uniform(i);
  return values;
}

// n pictures of h x w RGB pixels, integers 0..255: random colors on a lattice of 8 pixels, blended, plus
// fine noise.
inline std::vector<float> hash_picture(std::string_view name, std::int64_t n, std::int64_t h, std::int64_t w,
                                       std::uint32_t seed = kSeedPicture) {
  const HashStream coarse(std::string(name) + ".coarse", seed), fine(name, seed);
  const std::int64_t lattice_h = h / 8 + 2, lattice_w = w / 8 + 2;
  std::vector<float> pixels;
  pixels.reserve(static_cast<std::size_t>(n * h * w * 3));
  for (std::int64_t b = 0; b < n; ++b)
    for (std::int64_t y = 0; y < h; ++y)
      for (std::int64_t x = 0; x < w; ++x)
        for (std::int64_t c = 0; c < 3; ++c) {
          const auto corner = [&](std::int64_t dy, std::int64_t dx) {
            const std::int64_t row = y / 8 + dy, col = x / 8 + dx;
            return static_cast<std::int64_t>(coarse.bits(((b * lattice_h + row) * lattice_w + col) * 3 + c) >>
                                             24);
          };
          const std::int64_t fy = y % 8, fx = x % 8;
          const std::int64_t top = (8 - fx) * corner(0, 0) + fx * corner(0, 1);
          const std::int64_t bottom = (8 - fx) * corner(1, 0) + fx * corner(1, 1);
          const std::int64_t noise = fine.bits(((b * h + y) * w + x) * 3 + c) >> 27;
          const std::int64_t value = ((8 - fy) * top + fy * bottom + 32) / 64 + noise - 16;
          pixels.push_back(static_cast<float>(std::clamp<std::int64_t>(value, 0, 255)));
        }
  return pixels;
}

}  // namespace chiaro::test
