#include "kernels/base/blocks.hpp"
#include "kernels/optimizer/running_average.hpp"

namespace chiaro::running_average::cpu {

void step(float rate, std::int64_t count, const float* p, float* a) {
  parallel_blocks(count, kElementBlock, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) a[i] += rate * (p[i] - a[i]);
  });
}

}  // namespace chiaro::running_average::cpu
