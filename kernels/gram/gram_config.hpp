// How the Gram kernels cut their work: tiles of 64x64 channels on and above the diagonal, pixels in splits.
#pragma once
#include <algorithm>

#include "kernels/base/tensor.hpp"

namespace chiaro::gram::cuda {

inline constexpr int kTile = 64;       // channels, and pixels in backward
inline constexpr int kBlocks = 264;    // to aim at: two on each multiprocessor of an H100
inline constexpr int kMinSplit = 256;  // pixels, so that adding up the splits stays small beside them

struct Config {
  int tiles = 1, pairs = 1;              // tiles along the channels, pairs i <= j of them
  int splits = 1, split_pixels = kTile;  // split_pixels is a multiple of kTile
};

constexpr Config pick_config(const Shape& f) {
  const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t tiles = up(f.c, kTile), pairs = tiles * (tiles + 1) / 2;
  const std::int64_t wanted = std::clamp<std::int64_t>(kBlocks / (pairs * f.n), 1, up(f.pixels(), kMinSplit));
  const std::int64_t split_pixels = up(up(f.pixels(), wanted), kTile) * kTile;
  return {static_cast<int>(tiles), static_cast<int>(pairs), static_cast<int>(up(f.pixels(), split_pixels)),
          static_cast<int>(split_pixels)};
}

}  // namespace chiaro::gram::cuda
