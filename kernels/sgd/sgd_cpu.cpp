#include "kernels/common/blocks.hpp"
#include "kernels/sgd/sgd.hpp"

namespace chiaro::sgd::cpu {

namespace {

void update(float lr, float momentum, const float* __restrict grad, float* __restrict param,
            float* __restrict velocity, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    velocity[i] = momentum * velocity[i] + grad[i];
    param[i] -= lr * velocity[i];
  }
}

}  // namespace

void step(float lr, float momentum, std::int64_t count, const float* grad, float* param, float* velocity) {
  parallel_blocks(count, kElementBlock, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    update(lr, momentum, grad + begin, param + begin, velocity + begin, end - begin);
  });
}

}  // namespace chiaro::sgd::cpu
