#include <omp.h>

#include <algorithm>

#include "kernels/conv2d/winograd_tiles.hpp"

namespace chiaro::conv2d::winograd {

void transform_tile(const TileGrid& grid, const float* x, int64_t tile, float* factors,
                    const FactorLayout& layout, int64_t row) {
  const Tile t = grid.at(tile);
  const int64_t first_row = t.row - grid.top, first_column = t.column - grid.left;
  const int64_t C = grid.x.c, line = grid.x.w * C;
  const float* from = x + (t.picture * grid.x.h + first_row) * line + first_column * C;
  float* to = factors + row * layout.row_stride();
  const auto transform = [&](int64_t c, auto&& read) {
    Vector d[kPoints][kPoints], factor[kPoints][kPoints];
    for (int i = 0; i < kPoints; ++i)
      for (int j = 0; j < kPoints; ++j) d[i][j] = read(i, j);
    transform_inputs(d, factor);
    for (int i = 0; i < kPoints; ++i)
      for (int j = 0; j < kPoints; ++j)
        store(to + (i * kPoints + j) * layout.product_stride() + c, factor[i][j]);
  };
  int64_t c = 0;
  if (first_row >= 0 && first_row + kPoints <= grid.x.h && first_column >= 0 &&
      first_column + kPoints <= grid.x.w)
    for (; c + kLanes <= C; c += kLanes)
      transform(c, [&](int i, int j) { return load(from + i * line + j * C + c); });
  const auto inside = [](int64_t at, int64_t size) { return at >= 0 && at < size; };
  for (; c < C; c += kLanes)
    transform(c, [&](int i, int j) {
      return inside(first_row + i, grid.x.h) && inside(first_column + j, grid.x.w)
                 ? load_part(from + i * line + j * C + c, C - c)
                 : Vector{};
    });
}

Blocks choose_blocks(int64_t tiles, int64_t in_channels, int64_t out_channels, int threads) {
  // Measured: few tiles, so that their factors stay in a core's second cache; more where the weights come from
  // beyond it for every block.
  constexpr int64_t kCache = 1 << 20;
  const bool large = kProducts * in_channels * out_channels * 4 > kCache;
  Blocks b;
  b.channels = divide_up(std::min<int64_t>(out_channels, large ? 64 : 32), kBlock) * kBlock;
  b.shared = tiles < kPixels * threads;
  const int64_t shares = b.shared ? 1 : threads;
  b.tiles = divide_up(tiles, divide_up(divide_up(tiles, large ? 48 : 24), shares) * shares);
  return b;
}

int threads_of(const PassProblem& pass) {
  return pass.threads == Threads::One ? 1 : omp_get_max_threads();
}

std::string refusal_of(const PassProblem& pass, int threads) {
  constexpr int64_t kFewestChannels = 16, kFewestTiles = 16, kFewestTilesOfThread = 64;
  const Problem& p = pass.problem;
  const auto taps = [](int64_t n) { return n == 2 || n == 3; };
  if (p.dtype != DType::F32 || p.y_dtype != DType::F32) return "for fp32 only";
  if (!taps(p.r) || !taps(p.s) || p.stride != 1)
    return "for filters of 2 or 3 rows and columns with stride 1";
  if (p.x.c < kFewestChannels || p.k < kFewestChannels)
    return fmt::format("for {} channels or more", kFewestChannels);
  if (std::max(p.pad.top, p.pad.bottom) >= p.r || std::max(p.pad.left, p.pad.right) >= p.s)
    return "for padding below the filter's extent";
  const TileGrid grid(pass.pass == Pass::BackwardData ? flipped_problem(p) : p);
  const int64_t fewest = pass.pass == Pass::BackwardWeights ? kFewestTilesOfThread * threads : kFewestTiles;
  if (grid.count() < fewest) return fmt::format("for {} tiles of 6x6 inputs or more", fewest);
  if (10 * grid.pixels() > 16 * grid.x.n * grid.y.h * grid.y.w)
    return "too much of the tiles lies beyond the picture";
  return "";
}

}  // namespace chiaro::conv2d::winograd
