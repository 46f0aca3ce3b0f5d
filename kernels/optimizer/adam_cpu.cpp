#include <cmath>
#include <vector>

#include "kernels/base/blocks.hpp"
#include "kernels/optimizer/adam.hpp"

namespace chiaro::adam::cpu {

namespace {

// Vectorizes where a square root may not set errno (-fno-math-errno).
void update(const Factors& factors, const float* __restrict grad, float* __restrict param,
            float* __restrict m, float* __restrict v, std::int64_t count) {
  const Factors f = factors;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = grad[i];
    m[i] = f.beta1 * m[i] + f.one_minus_beta1 * g;
    v[i] = f.beta2 * v[i] + f.one_minus_beta2 * g * g;
    const float update = f.step_size * m[i] / (std::sqrt(v[i]) * f.inverse_root_correction + f.eps);
    param[i] -= update + f.decay * param[i];
  }
}

}  // namespace

void step(const Factors& factors, std::int64_t count, const float* grad, float* param, float* m, float* v,
          bf16* copy) {
  constexpr std::int64_t kBlock = 4096;  // four slabs of it stay in the L2 cache until the copy is made
  parallel_blocks(count, kBlock, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    update(factors, grad + begin, param + begin, m + begin, v + begin, end - begin);
    if (!copy) return;
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) store(copy[i], param[i]);
  });
}

double gradient_norm(std::int64_t count, const float* grad) {
  std::vector<double> partial(static_cast<std::size_t>(divide_up(count, kElementBlock)));
  parallel_blocks(count, kElementBlock, [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) sum += double(grad[i]) * grad[i];
    partial[block] = sum;
  });
  double sum = 0;
  for (const double value : partial) sum += value;
  return std::sqrt(sum);
}

}  // namespace chiaro::adam::cpu
