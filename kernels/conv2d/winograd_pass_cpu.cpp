// Forward pass and data gradient of 3x3, 2x2, 3x2 and 2x3 filters with stride 1 by Winograd's minimal filtering,
// in fp32: a quarter of the multiplications of the formula for 3x3 filters, 36 % for 2x2.
//
// The output is cut into tiles, of 4x4 pixels for 3x3 filters. The 6x6 inputs of a tile become factors of 36
// products (winograd_transforms.hpp); for each of the 36, tiles x input channels times input channels x output channels
// is a matrix product; the 36 products of a tile become its pixels.
//
// A block of tiles goes through all three steps while it lies in the cache. Where there are fewer blocks than
// threads, or where weights are larger than a core's cache, threads share the transformed inputs and each
// takes a part of the output channels as well.
//
// Working weights: (blocks of kBlock outputs, 36, C, kBlock), zero beyond K; exchange K and C for the data
// gradient.
// Deterministic: every sum has a fixed order, whatever the blocks and threads.
#include <limits>

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

// out (count, kBlock) = in (count, length) * w (length, kBlock); strides of rows in floats.
void multiply_rows(const float* in, int64_t in_stride, int64_t count, const float* w, int64_t length,
                   float* out, int64_t out_stride) {
  const auto rows = [&]<int N>(std::integral_constant<int, N>, int64_t first) {
    Vector sums[N][2] = {};
    multiply_run<N>(sums, in + first * in_stride, in_stride, w, length);
    for (int i = 0; i < N; ++i) {
      store(out + (first + i) * out_stride, sums[i][0]);
      store(out + (first + i) * out_stride + kLanes, sums[i][1]);
    }
  };
  int64_t i = 0;
  for (; i + kPixels <= count; i += kPixels) rows(std::integral_constant<int, kPixels>{}, i);
  for (; i + kPixels / 3 <= count; i += kPixels / 3) rows(std::integral_constant<int, kPixels / 3>{}, i);
  for (; i < count; ++i) rows(std::integral_constant<int, 1>{}, i);
}

// Of filters with R x S taps.
template <int R, int S>
class WinogradPass final : public PassPlan {
 public:
  explicit WinogradPass(const PassProblem& pass)
      : flipped_(pass.pass == Pass::BackwardData),
        p_(flipped_ ? flipped_problem(pass.problem) : pass.problem),
        grid_(p_),
        threads_(threads_of(pass)),
        blocks_(choose_blocks(grid_.count(), p_.x.c, p_.k, threads_)),
        in_{blocks_.shared ? grid_.count() : blocks_.tiles, p_.x.c},
        out_{blocks_.tiles, blocks_.channels} {}

  std::string name() const override { return "winograd"; }
  std::string details() const override {
    return fmt::format("{}x{} outputs, {} tiles x {} channels{}", kRows, kColumns, blocks_.tiles,
                       blocks_.channels, blocks_.shared ? ", shared inputs" : "");
  }
  std::string packed_key() const override {
    return fmt::format("winograd {} {}", flipped_ ? "data" : "forward", kBlock);
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
    return (inputs() * in_.floats() + threads_ * out_.floats()) * 4;
  }

  void run(const PassArgs& a) override {
    const auto* x = static_cast<const float*>(flipped_ ? a.dy : a.x);
    auto* y = static_cast<float*>(flipped_ ? a.dx : a.y);
    const Finish finish{.bias = a.bias,
                        .add = flipped_ ? a.accumulate : p_.accumulate,
                        .floor = p_.relu ? 0.f : -std::numeric_limits<float>::infinity()};
    const auto* packed = static_cast<const float*>(a.packed);
    auto* in = static_cast<float*>(a.workspace);
    float* out = in + inputs() * in_.floats();
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
  static constexpr int kRows = outputs_of(R), kColumns = outputs_of(S);  // of a tile

  int64_t inputs() const { return blocks_.shared ? 1 : threads_; }  // transformed ones at a time

  // Factors of the filter from input channel c to output channel k.
  void pack_filter(const float* w, int64_t k, int64_t c, float* to) const {
    float g[R][S] = {}, t[kPoints][kPoints];
    for (int r = 0; r < R && k < p_.k; ++r)
      for (int s = 0; s < S; ++s)
        g[r][s] = flipped_ ? w[((c * R + R - 1 - r) * S + S - 1 - s) * p_.k + k]
                           : w[((k * R + r) * S + s) * p_.x.c + c];
    transform_filter(g, t);
    for (int i = 0; i < kProducts; ++i) to[i * p_.x.c * kBlock] = t[i / kPoints][i % kPoints];
  }

  void run_shared(const float* x, const float* packed, const Finish& finish, float* y, float* in,
                  float* out) const {
    const int64_t parts = divide_up(p_.k, blocks_.channels);
    parallel_for(grid_.count(), [&](int64_t tile) { transform_tile(grid_, x, tile, in, in_, tile); });
    parallel_shares(threads_, divide_up(grid_.count(), blocks_.tiles) * parts, [&](int64_t task, int thread) {
      const int64_t first = task / parts * blocks_.tiles;
      run_channels(in, first, packed, finish, y, out + thread * out_.floats(), first,
                   std::min(blocks_.tiles, grid_.count() - first), task % parts * blocks_.channels);
    });
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
    float* to = y + grid_.offset(t);
    for (int64_t c = k; c < end; c += kLanes) {
      Vector m[kPoints][kPoints], pixels[kRows][kColumns];
      const float* from = out + row * out_.row_stride() + c - k;
      for (int i = 0; i < kPoints; ++i)
        for (int j = 0; j < kPoints; ++j) m[i][j] = load(from + (i * kPoints + j) * out_.product_stride());
      transform_outputs(m, pixels);
      const int64_t lanes = std::min<int64_t>(kLanes, p_.k - c);
      const Vector bias = finish.bias ? load_part(finish.bias + c, lanes) : Vector{};
      for (int64_t i = 0; i < t.rows; ++i)
        for (int64_t j = 0; j < t.columns; ++j) {
          float* pixel = to + (i * grid_.y.w + j) * p_.k + c;
          Vector value = pixels[i][j] + bias;
          if (finish.add) value += load_part(pixel, lanes);
          store_part(pixel, value > finish.floor ? value : Vector{} + finish.floor, lanes);
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
  refusal = refusal_of(pass, threads_of(pass));
  if (!refusal.empty()) return nullptr;
  if (pass.pass == Pass::BackwardWeights) return make_weights(pass);
  return with_taps(pass.problem, [&](auto r, auto s) -> std::unique_ptr<PassPlan> {
    return std::make_unique<WinogradPass<r.value, s.value>>(pass);
  });
}

}  // namespace chiaro::conv2d
