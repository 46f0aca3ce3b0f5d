// The tiles of Winograd's convolutions: where they lie, how their factors are laid out, how many are worked on
// at a time.
#pragma once
#include <cstring>
#include <memory>
#include <string>

#include "kernels/base/blocks.hpp"
#include "kernels/conv2d/direct_vector.hpp"
#include "kernels/conv2d/pass_plan.hpp"
#include "kernels/conv2d/winograd_transforms.hpp"

namespace chiaro::conv2d::winograd {

using namespace direct;

// The first output pixel of a tile, and how many of its rows and columns lie in the picture.
struct Tile {
  int64_t picture, row, column, rows, columns;
};

// The output of a forward pass in tiles of (7-R) x (7-S) pixels; those at the right and at the bottom may hang
// over.
struct TileGrid {
  explicit TileGrid(const Problem& p)
      : x(p.x),
        y(p.y()),
        top(p.pad.top),
        left(p.pad.left),
        tile_rows(outputs_of(static_cast<int>(p.r))),
        tile_columns(outputs_of(static_cast<int>(p.s))),
        rows(divide_up(y.h, tile_rows)),
        columns(divide_up(y.w, tile_columns)) {}

  int64_t count() const { return x.n * rows * columns; }
  int64_t pixels() const { return count() * tile_rows * tile_columns; }  // with those that hang over
  Tile at(int64_t tile) const {
    const int64_t row = tile / columns % rows * tile_rows, column = tile % columns * tile_columns;
    return {tile / columns / rows, row, column, std::min(tile_rows, y.h - row),
            std::min(tile_columns, y.w - column)};
  }
  int64_t offset(const Tile& t) const { return ((t.picture * y.h + t.row) * y.w + t.column) * y.c; }  // in y

  Shape x, y;
  int64_t top, left, tile_rows, tile_columns, rows, columns;
};

// Factors or products of tiles: (36, tiles, channels). The strides keep the 36 that a tile has out of each
// other's cache sets.
struct FactorLayout {
  int64_t tiles, channels;

  int64_t row_stride() const { return (divide_up(channels, kLine) + 1) * kLine; }
  int64_t product_stride() const { return (tiles * row_stride() / kLine | 1) * kLine; }
  int64_t floats() const { return kProducts * product_stride(); }

  static constexpr int64_t kLine = 16;  // floats in a cache line, and the longest vector
};

// The first `count` of a vector's values, zeros beyond them.
inline Vector load_part(const float* from, int64_t count) {
  if (count >= kLanes) return load(from);
  float values[kLanes] = {};
  std::memcpy(values, from, static_cast<std::size_t>(count) * sizeof(float));
  return load(values);
}
inline void store_part(float* to, const Vector& value, int64_t count) {
  if (count >= kLanes) return store(to, value);
  std::memcpy(to, &value, static_cast<std::size_t>(count) * sizeof(float));
}

// Row `row` of `factors` = the transformed inputs of a tile; zeros where it reaches beyond the picture.
void transform_tile(const TileGrid&, const float* x, int64_t tile, float* factors, const FactorLayout&,
                    int64_t row);

struct Blocks {
  int64_t tiles, channels;  // of the output that are multiplied at a time
  bool shared;              // all threads work on the transformed inputs of all tiles
};
Blocks choose_blocks(int64_t tiles, int64_t in_channels, int64_t out_channels, int threads);

// Why Winograd does not do this pass, or "".
std::string refusal_of(const PassProblem&, int threads);

// Threads::One, or as many as OpenMP would start.
int threads_of(const PassProblem&);

// Calls make with the filter's rows and columns as constants: 2 or 3.
template <class Make>
std::unique_ptr<PassPlan> with_taps(const Problem& p, Make&& make) {
  using Two = std::integral_constant<int, 2>;
  using Three = std::integral_constant<int, 3>;
  if (p.r == 2) return p.s == 2 ? make(Two{}, Two{}) : make(Two{}, Three{});
  return p.s == 2 ? make(Three{}, Two{}) : make(Three{}, Three{});
}

std::unique_ptr<PassPlan> make_weights(const PassProblem&);  // the weight gradient

}  // namespace chiaro::conv2d::winograd
