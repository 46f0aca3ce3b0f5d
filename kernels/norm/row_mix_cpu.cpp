#include "kernels/base/blocks.hpp"
#include "kernels/norm/row_mix.hpp"

namespace chiaro::row_mix::cpu {

namespace {

// y (+)= sum_k weight[k * step] * rows[k], for elements begin .. end - 1 of rows of `length`.
void mix(const float* weight, std::int64_t step, std::int64_t count, const float* rows, std::int64_t length,
         std::int64_t begin, std::int64_t end, float* y, bool accumulate) {
  if (!accumulate) std::fill(y + begin, y + end, 0.f);
  for (std::int64_t k = 0; k < count; ++k) {
    const float share = weight[k * step];
    if (share == 0) continue;
    const float* row = rows + k * length;
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) y[i] += share * row[i];
  }
}

}  // namespace

void forward(const Sizes& s, const float* w, const float* t, float* y) {
  for (std::int64_t n = 0; n < s.pictures; ++n)
    parallel_blocks(s.length, kElementBlock, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      mix(w + n * s.rows, 1, s.rows, t, s.length, begin, end, y + n * s.length, false);
    });
}

void backward(const Sizes& s, const float* w, const float* dy, float* dt, bool accumulate) {
  for (std::int64_t row = 0; row < s.rows; ++row)
    parallel_blocks(s.length, kElementBlock, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      mix(w + row, s.rows, s.pictures, dy, s.length, begin, end, dt + row * s.length, accumulate);
    });
}

}  // namespace chiaro::row_mix::cpu
