#include "kernels/base/blocks.hpp"
#include "kernels/optimizer/sgd.hpp"

namespace chiaro::sgd::cpu {

namespace {

void update(const Factors& factors, const float* __restrict grad, float* __restrict param,
            float* __restrict velocity, std::int64_t count) {
  const Factors f = factors;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    velocity[i] = f.momentum * velocity[i] + grad[i];
    param[i] -= f.lr * (velocity[i] + f.weight_decay * param[i]);
  }
}

}  // namespace

void step(const Factors& factors, std::int64_t count, const float* grad, float* param, float* velocity) {
  parallel_blocks(count, kElementBlock, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    update(factors, grad + begin, param + begin, velocity + begin, end - begin);
  });
}

}  // namespace chiaro::sgd::cpu
