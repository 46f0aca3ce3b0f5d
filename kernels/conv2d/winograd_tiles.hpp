// The tiles of Winograd's convolutions: where they lie, how their factors are laid out, how many are worked on
// at a time.
#pragma once
#include <cstdint>
#include <string>

#include "kernels/base/blocks.hpp"
#include "kernels/conv2d/direct_vector.hpp"
#include "kernels/conv2d/pass_plan.hpp"
#include "kernels/conv2d/winograd_transforms.hpp"

namespace chiaro::conv2d::winograd {

using direct::kBlock, direct::kLanes, direct::Vector;

// The first output pixel of a tile.
struct Tile {
  int64_t picture, row, column;
};

// The output of a forward pass in tiles of 4x4 pixels; those at the right and at the bottom may hang over.
struct TileGrid {
  explicit TileGrid(const Problem& p)
      : x(p.x),
        top(p.pad.top),
        left(p.pad.left),
        height(p.y().h),
        width(p.y().w),
        rows(divide_up(height, kOutputs)),
        columns(divide_up(width, kOutputs)) {}

  int64_t count() const { return x.n * rows * columns; }
  Tile at(int64_t tile) const {
    const int64_t row = tile / columns;
    return {row / rows, row % rows * kOutputs, tile % columns * kOutputs};
  }

  Shape x;
  int64_t top, left, height, width, rows, columns;
};

// Factors or products of tiles: (36, tiles, channels). The strides keep the 36 that a tile has out of each
// other's cache sets.
struct FactorLayout {
  int64_t tiles, channels;

  int64_t row_stride() const { return channels + kLine; }
  int64_t product_stride() const { return (tiles * row_stride() / kLine | 1) * kLine; }
  int64_t floats() const { return kProducts * product_stride(); }
  int64_t bytes() const { return floats() * 4; }

  static constexpr int64_t kLine = 16;  // floats in a cache line
};

// Row `row` of `factors` = the transformed inputs of a tile; zeros where it reaches beyond the picture.
void transform_tile(const TileGrid&, const float* x, int64_t tile, float* factors, const FactorLayout&,
                    int64_t row);

struct Blocks {
  int64_t tiles, channels;  // of the output that are multiplied at a time
  bool shared;              // all threads work on one group of transformed tiles
  int64_t group;            // its size
};
Blocks choose_blocks(int64_t tiles, int64_t in_channels, int64_t out_channels, int threads);

// Why Winograd does not do this pass, or "".
std::string winograd_refusal(const PassProblem&);

std::unique_ptr<PassPlan> make_winograd_weights(const PassProblem&);

}  // namespace chiaro::conv2d::winograd
