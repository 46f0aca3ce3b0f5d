// The weight gradient of 3x3, 2x2, 3x2 and 2x3 filters with stride 1 by Winograd's minimal filtering, in fp32.
//
// The same tiles as in the forward pass: for 3x3 filters the 4x4 pixels of dy are a filter for the 6x6 inputs,
// with 3x3 outputs, which takes the same 36 multiplications. So dw is the sum over tiles of 36 products of inputs and
// outputs, transformed back once at the end.
//
// Every thread takes a part of the tiles and has sums of its own, which are added in order at the end.
//
// Workspace: for each thread the factors of a block of tiles, and sums (36, C, K in whole blocks).
// Deterministic: for a given number of threads.
#include <algorithm>

#include "kernels/conv2d/winograd_tiles.hpp"

namespace chiaro::conv2d::winograd {

namespace {

constexpr int64_t kGroup = 32;  // tiles

template <int R, int S>
class WinogradWeights final : public PassPlan {
 public:
  explicit WinogradWeights(const PassProblem& pass)
      : p_(pass.problem),
        grid_(p_),
        channels_(divide_up(p_.k, kBlock) * kBlock),
        parts_(threads_of(pass)),
        x_{std::min(kGroup, grid_.count()), p_.x.c},
        dy_{x_.tiles, channels_} {}

  std::string name() const override { return "winograd"; }
  std::string details() const override { return fmt::format("{}x{} outputs, {} tiles", R, S, x_.tiles); }
  int64_t workspace_bytes() const override { return parts_ * part_floats() * 4; }

  void run(const PassArgs& a) override {
    auto* parts = static_cast<float*>(a.workspace);
    parallel_for(parts_, [&](int64_t part) {
      add_tiles(static_cast<const float*>(a.x), static_cast<const float*>(a.dy),
                grid_.count() * part / parts_, grid_.count() * (part + 1) / parts_,
                parts + part * part_floats());
    });
    parallel_for(p_.x.c, [&](int64_t c) {
      for (int64_t k = 0; k < p_.k; k += kLanes) write(parts + c * channels_ + k, c, k, a.dw, a.accumulate);
    });
    if (a.db) sum_bias(static_cast<const float*>(a.dy), a.db, a.accumulate);
  }

 private:
  int64_t sums_floats() const { return kProducts * p_.x.c * channels_; }
  int64_t part_floats() const { return sums_floats() + x_.floats() + dy_.floats(); }

  // part: the sums over tiles first to last, then room for factors.
  void add_tiles(const float* x, const float* dy, int64_t first, int64_t last, float* part) const {
    float* inputs = part + sums_floats();
    float* outputs = inputs + x_.floats();
    std::fill_n(part, sums_floats(), 0.f);
    for (int64_t tile = first; tile < last; tile += x_.tiles) {
      const int64_t tiles = std::min(x_.tiles, last - tile);
      for (int64_t i = 0; i < tiles; ++i) {
        transform_tile(grid_, x, tile + i, inputs, x_, i);
        transform_gradient(dy, tile + i, outputs, i);
      }
      for (int64_t product = 0; product < kProducts; ++product)
        for (int64_t k = 0; k < channels_; k += kBlock)
          add_products(inputs + product * x_.product_stride(), outputs + product * dy_.product_stride() + k,
                       tiles, part + product * p_.x.c * channels_ + k);
    }
  }

  // Row `row` of `factors` = the transformed pixels of a tile of dy; zeros beyond the picture.
  void transform_gradient(const float* dy, int64_t tile, float* factors, int64_t row) const {
    const Tile t = grid_.at(tile);
    const float* from = dy + grid_.offset(t);
    float* to = factors + row * dy_.row_stride();
    for (int64_t k = 0; k < p_.k; k += kLanes) {
      Vector g[outputs_of(R)][outputs_of(S)], factor[kPoints][kPoints];
      for (int i = 0; i < outputs_of(R); ++i)
        for (int j = 0; j < outputs_of(S); ++j)
          g[i][j] = i < t.rows && j < t.columns ? load_part(from + (i * grid_.y.w + j) * p_.k + k, p_.k - k)
                                                : Vector{};
      transform_filter(g, factor);
      for (int i = 0; i < kPoints; ++i)
        for (int j = 0; j < kPoints; ++j)
          store(to + (i * kPoints + j) * dy_.product_stride() + k, factor[i][j]);
    }
  }

  // sums (C, channels_), a block of columns, += inputs^T (tiles, C) * outputs (tiles, block).
  void add_products(const float* inputs, const float* outputs, int64_t tiles, float* sums) const {
    const auto rows = [&]<int N>(std::integral_constant<int, N>, int64_t c) {
      Vector products[N][2] = {};
      multiply_run<N>(products, inputs + c, 1, outputs, tiles, x_.row_stride(), dy_.row_stride());
      for (int i = 0; i < N; ++i)
        for (int half = 0; half < 2; ++half) {
          float* to = sums + (c + i) * channels_ + half * kLanes;
          store(to, load(to) + products[i][half]);
        }
    };
    int64_t c = 0;
    for (; c + kPixels <= p_.x.c; c += kPixels) rows(std::integral_constant<int, kPixels>{}, c);
    for (; c + 2 <= p_.x.c; c += 2) rows(std::integral_constant<int, 2>{}, c);
    for (; c < p_.x.c; ++c) rows(std::integral_constant<int, 1>{}, c);
  }

  // The filter elements of input c and kLanes outputs from k on; sums: of the first part.
  void write(const float* sums, int64_t c, int64_t k, float* dw, bool add) const {
    Vector m[kPoints][kPoints], taps[R][S];
    for (int i = 0; i < kPoints; ++i)
      for (int j = 0; j < kPoints; ++j) {
        const float* from = sums + (i * kPoints + j) * p_.x.c * channels_;
        m[i][j] = load(from);
        for (int64_t part = 1; part < parts_; ++part) m[i][j] += load(from + part * part_floats());
      }
    transform_outputs(m, taps);
    for (int64_t lane = 0; lane < std::min<int64_t>(kLanes, p_.k - k); ++lane)
      for (int r = 0; r < R; ++r)
        for (int s = 0; s < S; ++s) {
          float& to = dw[(((k + lane) * R + r) * S + s) * p_.x.c + c];
          to = add ? to + taps[r][s][lane] : taps[r][s][lane];
        }
  }

  // By rows of pixels, so that rounding errors stay small.
  void sum_bias(const float* dy, float* db, bool add) const {
    const Shape y = p_.y();
    parallel_for(divide_up(y.c, kLanes), [&](int64_t block) {
      const int64_t k = block * kLanes, lanes = y.c - k;
      Vector sum = add ? load_part(db + k, lanes) : Vector{};
      for (int64_t row = 0; row < y.n * y.h; ++row) {
        Vector of_row = {};
        for (int64_t i = 0; i < y.w; ++i) of_row += load_part(dy + (row * y.w + i) * y.c + k, lanes);
        sum += of_row;
      }
      store_part(db + k, sum, lanes);
    });
  }

  const Problem p_;
  const TileGrid grid_;
  const int64_t channels_;  // K in whole blocks; what is beyond K is never read
  const int64_t parts_;
  const FactorLayout x_, dy_;
};

}  // namespace

std::unique_ptr<PassPlan> make_weights(const PassProblem& pass) {
  return with_taps(pass.problem, [&](auto r, auto s) -> std::unique_ptr<PassPlan> {
    return std::make_unique<WinogradWeights<r.value, s.value>>(pass);
  });
}

}  // namespace chiaro::conv2d::winograd
