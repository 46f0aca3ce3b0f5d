// Convolution to few channels with a filter of several columns, stride 1.
//
// A library convolution pads the output channels to its vector width: 3 channels cost as much as 16. So the
// filter's columns become output channels of a convolution with R x 1 filters, and a second pass adds what
// belongs together:
//   z[p,v,s*K+k] = sum_{r,c} x[p+r-top,v,c] * w[k,r,s,c]
//   y[p,q,k]     = act(b[k] + sum_s z[p,q+s-left,s*K+k] (+ old y))
// 9x9 with 3 outputs: 27 (padded to 32) instead of 9 * 16 channel columns. z is fp32 and is made in bands of
// rows that stay in the cache.
// Working weights: those of the R x 1 convolution.
// Deterministic.
#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/base/parallel.hpp"
#include "kernels/conv2d/column_passes.hpp"

namespace chiaro::conv2d {

namespace {

constexpr int64_t kBandBytes = 1 << 20;  // of z: about the second-level cache

class ColumnSum final : public PassPlan {
 public:
  ColumnSum(Context& context, const PassProblem& pass)
      : problem_(pass.problem), staging_(static_cast<std::size_t>(pass.problem.weight_count())) {
    for (const ColumnBand& band : column_bands(problem_)) {
      Inner* inner = inner_for(context, band, pass.threads);
      if (!inner) return;
      bands_.push_back({band.y_row, band.x_row, inner});
    }
  }
  // "" or why there is none.
  const std::string& refusal() const { return refusal_; }

  std::string name() const override { return "columns"; }
  std::string details() const override {
    return fmt::format("{}x1 in {} bands, {}", problem_.r, bands_.size(), first().details());
  }
  std::string packed_key() const override { return "columns " + first().packed_key(); }
  int64_t packed_bytes() const override { return first().packed_bytes(); }
  void pack(const float* w, void* packed) override {
    const Problem& p = problem_;
    for (int64_t k = 0; k < p.k; ++k)
      for (int64_t r = 0; r < p.r; ++r)
        for (int64_t s = 0; s < p.s; ++s)
          std::copy_n(w + ((k * p.r + r) * p.s + s) * p.x.c, p.x.c,
                      staging_.data() + ((s * p.k + k) * p.r + r) * p.x.c);
    inner_.front()->plan->pack(staging_.data(), packed);
  }
  int64_t workspace_bytes() const override {
    int64_t scratch = 0;
    for (const auto& inner : inner_) scratch = std::max(scratch, inner->plan->workspace_bytes());
    return z_bytes() + scratch;
  }
  void run(const PassArgs& a) override {
    const Problem& p = problem_;
    const Shape out = p.y();
    auto* z = static_cast<float*>(a.workspace);
    auto* scratch = static_cast<std::byte*>(a.workspace) + z_bytes();
    for (int64_t n = 0; n < p.x.n; ++n)
      for (const Band& band : bands_) {
        const auto* x =
            static_cast<const std::byte*>(a.x) + (n * p.x.h + band.x_row) * p.x.w * p.x.c * size_of(p.dtype);
        band.inner->plan->run({.x = x, .packed = a.packed, .y = z, .workspace = scratch});
        visit_dtype(p.y_dtype, [&](auto zero) {
          auto* y = static_cast<decltype(zero)*>(a.y) + (n * out.h + band.y_row) * out.w * out.c;
          add_columns(z, band.inner->problem.y().h, a.bias, y);
        });
      }
  }

 private:
  struct Inner {
    Problem problem;
    std::unique_ptr<PassPlan> plan;
  };
  struct Band {
    int64_t y_row, x_row;  // first rows
    Inner* inner;          // knows how many
  };

  const PassPlan& first() const { return *inner_.front()->plan; }

  Inner* inner_for(Context& context, const ColumnBand& band, Threads threads) {
    for (const auto& inner : inner_)
      if (inner->problem.x == band.problem.x && inner->problem.pad == band.problem.pad) return inner.get();
    auto plan = make_inner_pass(context, {band.problem, Pass::Forward, threads});
    if (!inner_.empty() && plan->packed_key() != first().packed_key()) {
      refusal_ = "the weights are wanted in another format for every height";
      return nullptr;
    }
    inner_.push_back(std::make_unique<Inner>(band.problem, std::move(plan)));
    return inner_.back().get();
  }

  int64_t z_bytes() const {
    int64_t largest = 0;
    for (const auto& inner : inner_) largest = std::max(largest, inner->problem.y().count() * 4);
    return workspace_part(largest + kMaxColumnChannels * 4);  // add_columns reads up to that far past the end
  }

  template <class U>
  void add_columns(const float* z, int64_t rows, const float* bias, U* y) const {
    const int64_t width = problem_.y().w, z_width = problem_.x.w, left = problem_.pad.left;
    const int64_t num_s = problem_.s, num_k = problem_.k, columns = num_s * num_k;
    const float floor = problem_.relu ? 0.f : -std::numeric_limits<float>::infinity();
    float start[kMaxColumnChannels] = {};
    for (int64_t k = 0; bias && k < num_k; ++k) start[k] = bias[k];
    parallel_for(rows, [&](int64_t row) {
      U* to = y + row * width * num_k;
      for (int64_t q = 0; q < width; ++q) {
        float sum[kMaxColumnChannels];  // a full vector; the elements from K on are meaningless
        std::copy_n(start, kMaxColumnChannels, sum);
        const int64_t corner = (row * z_width + q - left) * columns;
        const int64_t first = std::max<int64_t>(0, left - q), last = std::min(num_s, z_width + left - q);
        for (int64_t s = first; s < last; ++s) {
          const float* part = z + corner + s * (columns + num_k);
          for (int64_t i = 0; i < kMaxColumnChannels; ++i) sum[i] += part[i];
        }
        for (int64_t k = 0; k < num_k; ++k, ++to)
          *to = U(std::max(problem_.accumulate ? sum[k] + float(*to) : sum[k], floor));
      }
    });
  }

  Problem problem_;
  std::string refusal_;
  std::vector<float> staging_;  // weights on their way through pack()
  std::vector<std::unique_ptr<Inner>> inner_;
  std::vector<Band> bands_;
};

}  // namespace

std::vector<ColumnBand> column_bands(const Problem& p) {
  std::vector<ColumnBand> bands;
  const Shape y = p.y();
  const int64_t band_rows = std::max(p.r, kBandBytes / (p.x.w * p.s * p.k * 4));
  for (int64_t first = 0; first < y.h; first += band_rows) {
    const int64_t rows = std::min(band_rows, y.h - first);
    const int64_t begin = first - p.pad.top, end = begin + rows + p.r - 1;  // input rows, borders included
    const int64_t x_begin = std::clamp<int64_t>(begin, 0, p.x.h), x_end = std::clamp<int64_t>(end, 0, p.x.h);
    if (x_begin == x_end) return {};
    bands.push_back({first, x_begin,
                     Problem{.x = {1, x_end - x_begin, p.x.w, p.x.c},
                             .k = p.s * p.k,
                             .r = p.r,
                             .s = 1,
                             .stride = 1,
                             .pad = {x_begin - begin, end - x_end, 0, 0},
                             .dtype = p.dtype}});
  }
  return bands;
}

std::unique_ptr<PassPlan> make_column_sum(Context& context, const PassProblem& pass, std::string& refusal) {
  if (column_bands(pass.problem).empty()) {
    refusal = "a band would lie in the padding";
    return nullptr;
  }
  auto sum = std::make_unique<ColumnSum>(context, pass);
  refusal = sum->refusal();
  if (!refusal.empty()) return nullptr;
  return sum;
}

}  // namespace chiaro::conv2d
