// Forward pass and data gradient of 3x3 filters with stride 1 by Winograd's minimal filtering, in fp32: a
// quarter of the multiplications of the formula.
//
// The output is cut into tiles of 4x4 pixels. The 6x6 inputs of a tile become 36 products' factors
// (winograd_transforms.hpp); for each of the 36, tiles x input channels times input channels x output channels
// is a matrix product; the 36 products of a tile become its pixels.
//
// A block of tiles goes through all three steps while it lies in the cache. Where there are fewer blocks than
// threads, or where weights are larger than a core's cache, threads share the transformed inputs and each
// takes a part of the output channels as well.
//
// Working weights: (blocks of kBlock outputs, 36, C, kBlock), zero beyond K; exchange K and C for the data
// gradient.
// Deterministic: every sum has a fixed order, whatever the blocks and threads.
#include <algorithm>
#include <limits>

#include "kernels/conv2d/winograd_multiply.hpp"
#include "kernels/conv2d/winograd_tiles.hpp"

namespace chiaro::conv2d {

namespace {

using namespace winograd;

// What happens to a pixel on its way out.
struct Finish {
  const float* bias;
  bool add;
  float floor;
};

class WinogradPass final : public PassPlan {
 public:
  explicit WinogradPass(const PassProblem& pass)
      : flipped_(pass.pass == Pass::BackwardData),
        p_(flipped_ ? flipped_problem(pass.problem) : pass.problem),
        grid_(p_),
        threads_(pass.threads == Threads::One ? 1 : omp_get_max_threads()),
        blocks_(choose_blocks(grid_.count(), p_.x.c, p_.k, threads_)),
        in_{blocks_.shared ? blocks_.group : blocks_.tiles, p_.x.c},
        out_{blocks_.tiles, blocks_.channels} {}

  std::string name() const override { return "winograd"; }
  std::string details() const override {
    return fmt::format("4x4 outputs, {} tiles x {} channels{}", blocks_.tiles, blocks_.channels,
                       blocks_.shared ? ", shared inputs" : "");
  }
  std::string packed_key() const override {
    return fmt::format("winograd 4x4 {} {}", flipped_ ? "data" : "forward", kBlock);
  }
  int64_t packed_bytes() const override {
    return workspace_part(divide_up(p_.k, kBlock) * kProducts * p_.x.c * kBlock * 4);
  }
  void pack(const float* w, void* packed) override {
    const int64_t C = p_.x.c;
    auto* to = static_cast<float*>(packed);
    parallel_for(divide_up(p_.k, kBlock) * C, [&](int64_t i) {
      const int64_t block = i / C, c = i % C;
      for (int64_t lane = 0; lane < kBlock; ++lane)
        pack_filter(w, block * kBlock + lane, c, to + (block * kProducts * C + c) * kBlock + lane);
    });
  }
  int64_t workspace_bytes() const override {
    return (blocks_.shared ? 1 : threads_) * in_.bytes() + threads_ * out_.bytes();
  }

  void run(const PassArgs& a) override {
    const auto* x = static_cast<const float*>(flipped_ ? a.dy : a.x);
    auto* y = static_cast<float*>(flipped_ ? a.dx : a.y);
    const Finish finish{.bias = a.bias,
                        .add = flipped_ ? a.accumulate : p_.accumulate,
                        .floor = p_.relu ? 0.f : -std::numeric_limits<float>::infinity()};
    const auto* packed = static_cast<const float*>(a.packed);
    auto* in = static_cast<float*>(a.workspace);
    float* out = in + (blocks_.shared ? 1 : threads_) * in_.floats();
    if (blocks_.shared)
      run_shared(x, packed, finish, y, in, out);
    else
      parallel_shares(threads_, divide_up(grid_.count(), blocks_.tiles), [&](int64_t block, int thread) {
        const int64_t first = block * blocks_.tiles;
        const int64_t count = std::min(blocks_.tiles, grid_.count() - first);
        float* own = in + thread * in_.floats();
        for (int64_t i = 0; i < count; ++i) transform_tile(grid_, x, first + i, own, in_, i);
        for (int64_t k = 0; k < p_.k; k += blocks_.channels)
          run_channels(own, 0, packed, finish, y, out + thread * out_.floats(), first, count, k);
      });
  }

 private:
  // Factors of the filter from input channel c to output channel k.
  void pack_filter(const float* w, int64_t k, int64_t c, float* to) const {
    float g[kTaps][kTaps] = {}, rows[kTaps][kPoints], t[kPoints][kPoints];
    for (int r = 0; r < kTaps && k < p_.k; ++r)
      for (int s = 0; s < kTaps; ++s)
        g[r][s] = flipped_ ? w[((c * kTaps + kTaps - 1 - r) * kTaps + kTaps - 1 - s) * p_.k + k]
                           : w[((k * kTaps + r) * kTaps + s) * p_.x.c + c];
    for (int r = 0; r < kTaps; ++r) transform_filter(g[r], rows[r]);
    for (int j = 0; j < kPoints; ++j) {
      const float column[kTaps] = {rows[0][j], rows[1][j], rows[2][j]};
      transform_filter(column, t[j]);
    }
    for (int i = 0; i < kPoints; ++i)
      for (int j = 0; j < kPoints; ++j) to[(i * kPoints + j) * p_.x.c * kBlock] = t[j][i];
  }

  void run_shared(const float* x, const float* packed, const Finish& finish, float* y, float* in,
                  float* out) const {
    const int64_t parts = divide_up(p_.k, blocks_.channels);
    for (int64_t group = 0; group < grid_.count(); group += blocks_.group) {
      const int64_t tiles = std::min(blocks_.group, grid_.count() - group);
      parallel_for(tiles, [&](int64_t i) { transform_tile(grid_, x, group + i, in, in_, i); });
      parallel_shares(threads_, divide_up(tiles, blocks_.tiles) * parts, [&](int64_t task, int thread) {
        const int64_t first = task / parts * blocks_.tiles;
        run_channels(in, first, packed, finish, y, out + thread * out_.floats(), group + first,
                     std::min(blocks_.tiles, tiles - first), task % parts * blocks_.channels);
      });
    }
  }

  // Output channels k and on, a block of them, of `count` tiles from `first` on; these are rows `row` and on
  // of `in`.
  void run_channels(const float* in, int64_t row, const float* packed, const Finish& finish, float* y,
                    float* out, int64_t first, int64_t count, int64_t k) const {
    const int64_t end = std::min(k + blocks_.channels, p_.k), C = p_.x.c;
    for (int product = 0; product < kProducts; ++product)
      for (int64_t block = k; block < end; block += kBlock)
        multiply_rows(in + product * in_.product_stride() + row * in_.row_stride(), in_.row_stride(), count,
                      packed + (block / kBlock * kProducts + product) * C * kBlock, C,
                      out + product * out_.product_stride() + block - k, out_.row_stride());
    for (int64_t i = 0; i < count; ++i) finish_tile(out, i, first + i, k, end, finish, y);
  }

  void finish_tile(const float* out, int64_t row, int64_t tile, int64_t k, int64_t end, const Finish& finish,
                   float* y) const {
    const Tile t = grid_.at(tile);
    const int64_t height = std::min<int64_t>(kOutputs, grid_.height - t.row),
                  width = std::min<int64_t>(kOutputs, grid_.width - t.column);
    float* to = y + ((t.picture * grid_.height + t.row) * grid_.width + t.column) * p_.k;
    for (int64_t c = k; c < end; c += kLanes) {
      Vector pixels[kOutputs][kOutputs];
      const float* from = out + row * out_.row_stride() + c - k;
      Vector columns[kPoints][kOutputs];
      for (int j = 0; j < kPoints; ++j) {
        Vector m[kPoints];
        for (int i = 0; i < kPoints; ++i) m[i] = load(from + (i * kPoints + j) * out_.product_stride());
        transform_outputs(m, columns[j]);
      }
      for (int i = 0; i < kOutputs; ++i) {
        const Vector m[kPoints] = {columns[0][i], columns[1][i], columns[2][i],
                                   columns[3][i], columns[4][i], columns[5][i]};
        transform_outputs(m, pixels[i]);
      }
      const Vector bias = finish.bias ? load(finish.bias + c) : Vector{};
      for (int64_t i = 0; i < height; ++i)
        for (int64_t j = 0; j < width; ++j) {
          float* pixel = to + (i * grid_.width + j) * p_.k + c;
          Vector value = pixels[i][j] + bias;
          if (finish.add) value += load(pixel);
          store(pixel, value > finish.floor ? value : Vector{} + finish.floor);
        }
    }
  }

  const bool flipped_;
  const Problem p_;  // as a forward pass
  const TileGrid grid_;
  const int threads_;
  const Blocks blocks_;
  const FactorLayout in_, out_;
};

}  // namespace

std::unique_ptr<PassPlan> make_winograd_pass(Context&, const PassProblem& pass, std::string& refusal) {
  refusal = winograd_refusal(pass);
  if (!refusal.empty()) return nullptr;
  if (pass.pass == Pass::BackwardWeights) return make_winograd_weights(pass);
  return std::make_unique<WinogradPass>(pass);
}

}  // namespace chiaro::conv2d
