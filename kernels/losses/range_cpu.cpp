// Values outside a range, by blocks.
#include "kernels/base/blocks.hpp"
#include "kernels/losses/losses.hpp"

namespace chiaro::losses::cpu {

std::int64_t range_workspace_bytes(Shape x) {
  return divide_up(x.count(), kElementBlock) * static_cast<std::int64_t>(sizeof(double));
}

void range(const RangeArgs& args) {
  const std::int64_t count = args.x.shape.count();
  const float low = args.low, high = args.high, factor = static_cast<float>(2 * (args.weight * args.scale));
  const bool gradient = args.mode != GradientMode::Ignore, accumulate = args.mode == GradientMode::Accumulate;
  double* partial = static_cast<double*>(args.workspace);  // by block
  visit_dtype(args.x.dtype, [&](auto zero) {
    visit_dtype(gradient ? args.dx.dtype : args.x.dtype, [&](auto gradient_zero) {
      const auto* x = args.x.as<decltype(zero)>();
      auto* dx = gradient ? args.dx.as<decltype(gradient_zero)>() : nullptr;
      const auto excess = [=](std::int64_t i) {
        const float value = x[i], above = value < low ? low : value;
        return value - (above > high ? high : above);
      };
      parallel_blocks(count, kElementBlock, [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
        if (args.value) {
          double sum = 0;
#pragma omp simd reduction(+ : sum)
          for (std::int64_t i = begin; i < end; ++i) sum += double(excess(i)) * excess(i);
          partial[block] = sum;
        }
        if (!dx) return;
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) store_gradient(dx[i], factor * excess(i), accumulate);
      });
    });
  });
  if (!args.value) return;
  double sum = 0;
  for (std::int64_t block = 0; block < divide_up(count, kElementBlock); ++block) sum += partial[block];
  *args.value = static_cast<float>(args.scale * sum);
}

}  // namespace chiaro::losses::cpu
