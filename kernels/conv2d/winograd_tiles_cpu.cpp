#include "kernels/conv2d/winograd_tiles.hpp"

#include <algorithm>

namespace chiaro::conv2d::winograd {

using namespace direct;

namespace {

constexpr int64_t kFewestChannels = 16;

// read(i, j): the input in row i, column j of the tile, a vector of channels.
template <class Read>
inline void transform(Read&& read, float* to, int64_t stride) {
  Vector columns[kPoints][kPoints];
  for (int j = 0; j < kPoints; ++j) {
    Vector d[kPoints];
    for (int i = 0; i < kPoints; ++i) d[i] = read(i, j);
    transform_inputs(d, columns[j]);
  }
  for (int i = 0; i < kPoints; ++i) {
    const Vector d[kPoints] = {columns[0][i], columns[1][i], columns[2][i],
                               columns[3][i], columns[4][i], columns[5][i]};
    Vector t[kPoints];
    transform_inputs(d, t);
    for (int j = 0; j < kPoints; ++j) store(to + (i * kPoints + j) * stride, t[j]);
  }
}

}  // namespace

void transform_tile(const TileGrid& grid, const float* x, int64_t tile, float* factors,
                    const FactorLayout& layout, int64_t row) {
  const Tile t = grid.at(tile);
  const int64_t first_row = t.row - grid.top, first_column = t.column - grid.left;
  const int64_t C = grid.x.c, line = grid.x.w * C, stride = layout.product_stride();
  float* to = factors + row * layout.row_stride();
  const float* from = x + (t.picture * grid.x.h + first_row) * line + first_column * C;
  if (first_row >= 0 && first_row + kPoints <= grid.x.h && first_column >= 0 &&
      first_column + kPoints <= grid.x.w) {
    for (int64_t c = 0; c < C; c += kLanes)
      transform([&](int i, int j) { return load(from + i * line + j * C + c); }, to + c, stride);
    return;
  }
  const auto inside = [](int64_t at, int64_t size) { return at >= 0 && at < size; };
  for (int64_t c = 0; c < C; c += kLanes)
    transform(
        [&](int i, int j) {
          return inside(first_row + i, grid.x.h) && inside(first_column + j, grid.x.w)
                     ? load(from + i * line + j * C + c)
                     : Vector{};
        },
        to + c, stride);
}

Blocks choose_blocks(int64_t tiles, int64_t in_channels, int64_t out_channels, int threads) {
  // Measured: few tiles, so that their factors stay in a core's second cache; more where weights come from
  // beyond it for every block.
  constexpr int64_t kCache = 1 << 20;
  const bool large = kProducts * in_channels * out_channels * 4 > kCache;
  const int64_t wanted = large ? 48 : 24;
  Blocks b;
  b.channels = divide_up(std::min<int64_t>(out_channels, large ? 64 : 32), kBlock) * kBlock;
  b.shared = tiles < kPixels * threads;
  b.group = b.shared ? tiles : 0;
  const int64_t shares = b.shared ? 1 : threads;
  const int64_t blocks = divide_up(divide_up(tiles, wanted), shares) * shares;
  b.tiles = divide_up(tiles, blocks);
  return b;
}

std::string winograd_refusal(const PassProblem& pass) {
  const Problem& p = pass.problem;
  if (p.dtype != DType::F32 || p.y_dtype != DType::F32) return "for fp32 only";
  if (p.r != kTaps || p.s != kTaps || p.stride != 1) return "for 3x3 filters with stride 1";
  if (p.x.c % kLanes != 0 || p.k % kLanes != 0)
    return fmt::format("for channels in multiples of {}", kLanes);
  if (p.x.c < kFewestChannels || p.k < kFewestChannels)
    return fmt::format("for {} channels or more", kFewestChannels);
  if (p.pad.top > 2 || p.pad.bottom > 2 || p.pad.left > 2 || p.pad.right > 2) return "for padding up to 2";
  const bool data = pass.pass == Pass::BackwardData;
  const TileGrid grid(data ? flipped_problem(p) : p);
  const int64_t threads = pass.threads == Threads::One ? 1 : omp_get_max_threads();
  const int64_t fewest = pass.pass == Pass::BackwardWeights ? 64 * threads : 16;
  if (grid.count() < fewest) return fmt::format("for {} tiles of 4x4 pixels or more", fewest);
  if (10 * grid.count() * kOutputs * kOutputs > 16 * grid.x.n * grid.height * grid.width)
    return "too much of the tiles lies outside";
  return "";
}

}  // namespace chiaro::conv2d::winograd
