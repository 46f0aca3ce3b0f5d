#include "kernels/conv2d/column_sum_onednn.hpp"

#include <algorithm>
#include <limits>

#include "kernels/common/parallel.hpp"
#include "kernels/conv2d/implementations.hpp"

namespace chiaro::conv2d {

namespace {

constexpr int64_t kBandBytes = 1 << 20;  // of z: about the second-level cache

}  // namespace

std::unique_ptr<ColumnSum> ColumnSum::make(Context& context, const Problem& p, std::string& refusal) {
  if (p.stride != 1 || p.k > kMaxOutputs || p.s < 3) {
    refusal = fmt::format("column sums need stride 1, at most {} outputs and at least 3 filter columns",
                          kMaxOutputs);
    return nullptr;
  }
  auto sum = std::make_unique<ColumnSum>(p);
  const Shape y = p.y();
  const int64_t band_rows = std::max(p.r, kBandBytes / (p.x.w * p.s * p.k * 4));
  for (int64_t first = 0; first < y.h; first += band_rows) {
    const int64_t rows = std::min(band_rows, y.h - first);
    const int64_t begin = first - p.pad.top, end = begin + rows + p.r - 1;  // input rows, borders included
    const int64_t x_begin = std::clamp<int64_t>(begin, 0, p.x.h), x_end = std::clamp<int64_t>(end, 0, p.x.h);
    if (x_begin == x_end) {
      refusal = "a band would lie in the padding";
      return nullptr;
    }
    Problem band{.x = {1, x_end - x_begin, p.x.w, p.x.c},
                 .k = p.s * p.k,
                 .r = p.r,
                 .s = 1,
                 .stride = 1,
                 .pad = {x_begin - begin, end - x_end, 0, 0},
                 .dtype = p.dtype};
    Plan* plan = sum->band_plan(context, band, refusal);
    if (!plan) return nullptr;
    sum->bands_.push_back({first, x_begin, plan});
  }
  return sum;
}

Plan* ColumnSum::band_plan(Context& context, const Problem& band, std::string& refusal) {
  for (const auto& plan : plans_)
    if (plan->problem().x == band.x && plan->problem().pad == band.pad) return plan.get();
  auto plan = make_onednn_plan(context, band, refusal);
  if (!plan) return nullptr;
  if (!plans_.empty() && plan->packed_key(Pass::Forward) != plans_.front()->packed_key(Pass::Forward)) {
    refusal = "oneDNN wants the weights in another format for every height";
    return nullptr;
  }
  plans_.push_back(std::move(plan));
  return plans_.back().get();
}

void ColumnSum::pack(Context& context, const float* w, void* packed) {
  const Problem& p = problem_;
  for (int64_t k = 0; k < p.k; ++k)
    for (int64_t r = 0; r < p.r; ++r)
      for (int64_t s = 0; s < p.s; ++s)
        std::copy_n(w + ((k * p.r + r) * p.s + s) * p.x.c, p.x.c,
                    staging_.data() + ((s * p.k + k) * p.r + r) * p.x.c);
  plans_.front()->pack(context, Pass::Forward, staging_.data(), packed);
}

int64_t ColumnSum::z_bytes() const {
  int64_t largest = 0;
  for (const auto& plan : plans_) largest = std::max(largest, plan->problem().y().count() * 4);
  return (largest + kMaxOutputs * 4 + 63) / 64 * 64;  // add_columns reads up to kMaxOutputs past the end
}

int64_t ColumnSum::workspace_bytes() const {
  int64_t scratch = 0;
  for (const auto& plan : plans_) scratch = std::max(scratch, plan->workspace_bytes(Pass::Forward));
  return z_bytes() + scratch;
}

void ColumnSum::run(Context& context, const void* x, const void* packed, const float* bias, void* y,
                    bool accumulate, void* workspace) {
  const Problem& p = problem_;
  const Shape out = p.y();
  auto* z = static_cast<float*>(workspace);
  auto* scratch = static_cast<std::byte*>(workspace) + z_bytes();
  for (int64_t n = 0; n < p.x.n; ++n)
    for (const Band& band : bands_) {
      const Problem& part = band.plan->problem();
      const Shape z_shape = part.y();
      const auto* x_band =
          static_cast<const std::byte*>(x) + (n * p.x.h + band.x_row) * p.x.w * p.x.c * size_of(p.dtype);
      band.plan->forward(context, {x_band, p.dtype, part.x}, packed, nullptr, {z, DType::F32, z_shape},
                         scratch);
      visit_dtype(p.y_dtype, [&](auto zero) {
        auto* y_band = static_cast<decltype(zero)*>(y) + (n * out.h + band.y_row) * out.w * out.c;
        add_columns(z, z_shape.h, bias, y_band, accumulate);
      });
    }
}

template <class U>
void ColumnSum::add_columns(const float* z, int64_t rows, const float* bias, U* y, bool accumulate) const {
  const int64_t width = problem_.y().w, z_width = problem_.x.w, left = problem_.pad.left;
  const int64_t num_s = problem_.s, num_k = problem_.k, columns = num_s * num_k;
  const float floor = problem_.relu ? 0.f : -std::numeric_limits<float>::infinity();
  float start[kMaxOutputs] = {};
  for (int64_t k = 0; bias && k < num_k; ++k) start[k] = bias[k];
  parallel_for(rows, [&](int64_t row) {
    U* to = y + row * width * num_k;
    for (int64_t q = 0; q < width; ++q) {
      float sum[kMaxOutputs];  // a full vector; the elements from K on are meaningless
      std::copy_n(start, kMaxOutputs, sum);
      const int64_t corner = (row * z_width + q - left) * columns;
      const int64_t first = std::max<int64_t>(0, left - q), last = std::min(num_s, z_width + left - q);
      for (int64_t s = first; s < last; ++s) {
        const float* part = z + corner + s * (columns + num_k);
        for (int64_t i = 0; i < kMaxOutputs; ++i) sum[i] += part[i];
      }
      for (int64_t k = 0; k < num_k; ++k, ++to)
        *to = U(std::max(accumulate ? sum[k] + float(*to) : sum[k], floor));
    }
  });
}

}  // namespace chiaro::conv2d
