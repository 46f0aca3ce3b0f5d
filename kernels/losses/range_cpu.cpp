// Values outside a range, by blocks.
#include "kernels/base/blocks.hpp"
#include "kernels/losses/losses.hpp"

namespace chiaro::losses::cpu {

std::int64_t range_workspace_bytes(Shape x) {
  return divide_up(x.count(), kElementBlock) * static_cast<std::int64_t>(sizeof(double));
}

void range(ConstTensorView x, float low, float high, const Request& request) {
  const std::int64_t count = x.shape.count();
  const float factor = static_cast<float>(2 * request.gradient_scale);
  double* partial = static_cast<double*>(request.workspace);  // by block
  visit_dtype(x.dtype, [&](auto zero) {
    visit_dtype(request.gradient_dtype(), [&](auto gradient_zero) {
      const auto* px = x.as<decltype(zero)>();
      auto* dx = request.gradient_as<decltype(gradient_zero)>();
      const auto excess = [=](std::int64_t i) {
        const float value = px[i], above = value < low ? low : value;
        return value - (above > high ? high : above);
      };
      parallel_blocks(count, kElementBlock, [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
        if (request.value) {
          double sum = 0;
#pragma omp simd reduction(+ : sum)
          for (std::int64_t i = begin; i < end; ++i) sum += double(excess(i)) * excess(i);
          partial[block] = sum;
        }
        if (!dx) return;
        const bool accumulate = request.accumulates();
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) store_gradient(dx[i], factor * excess(i), accumulate);
      });
    });
  });
  if (!request.value) return;
  double sum = 0;
  for (std::int64_t block = 0; block < divide_up(count, kElementBlock); ++block) sum += partial[block];
  *request.value = static_cast<float>(request.scale * sum);
}

}  // namespace chiaro::losses::cpu
