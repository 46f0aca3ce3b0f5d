// Total variation, by rows.
#include <vector>

#include "kernels/common/blocks.hpp"
#include "kernels/losses/losses.hpp"
#include "kernels/losses/losses_reference.hpp"

namespace chiaro::losses::cpu {

namespace {

template <class T>
double squared_distance(const T* a, const T* b, std::int64_t length) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < length; ++i) {
    const float d = float(b[i]) - float(a[i]);
    sum += double(d) * d;
  }
  return sum;
}

// to += factor * (a - b)
template <class T>
void add_scaled_difference(const T* a, const T* b, float factor, float* to, std::int64_t length) {
#pragma omp simd
  for (std::int64_t i = 0; i < length; ++i) to[i] += factor * (float(a[i]) - float(b[i]));
}

constexpr std::int64_t kRowBlock = 8;

}  // namespace

std::int64_t tv_workspace_bytes(Shape x) {
  return 2 * x.n * x.h * static_cast<std::int64_t>(sizeof(double));
}

void tv_forward(ConstTensorView x, double scale, float* value, void* workspace) {
  const Shape s = x.shape;
  const std::int64_t pitch = s.w * s.c, rows = s.n * s.h;
  double* horizontal = static_cast<double*>(workspace);  // (N,H)
  double* vertical = horizontal + rows;                  // (N,H)
  visit_dtype(x.dtype, [&](auto zero) {
    const auto* data = x.as<decltype(zero)>();
    parallel_blocks(rows, kRowBlock, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const auto* here = data + row * pitch;
        horizontal[row] = squared_distance(here, here + s.c, pitch - s.c);
        vertical[row] = row % s.h + 1 < s.h ? squared_distance(here, here + pitch, pitch) : 0.0;
      }
    });
  });
  double horizontal_sum = 0, vertical_sum = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    horizontal_sum += horizontal[row];
    vertical_sum += vertical[row];
  }
  *value = static_cast<float>(reference::tv_horizontal_scale(s, scale) * horizontal_sum +
                              reference::tv_vertical_scale(s, scale) * vertical_sum);
}

void tv_backward(ConstTensorView x, double scale, TensorView dx, bool accumulate) {
  const Shape s = x.shape;
  const std::int64_t pitch = s.w * s.c;
  const float kx = static_cast<float>(2 * reference::tv_horizontal_scale(s, scale));
  const float ky = static_cast<float>(2 * reference::tv_vertical_scale(s, scale));
  visit_dtype(x.dtype, [&](auto zero) {
    visit_dtype(dx.dtype, [&](auto gradient_zero) {
      const auto* data = x.as<decltype(zero)>();
      auto* gradients = dx.as<decltype(gradient_zero)>();
      parallel_blocks(s.n * s.h, kRowBlock, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
        std::vector<float> sum(static_cast<std::size_t>(pitch));
        for (std::int64_t row = begin; row < end; ++row) {
          const auto* here = data + row * pitch;
          const std::int64_t h = row % s.h;
          std::fill(sum.begin(), sum.end(), 0.f);
          add_scaled_difference(here + s.c, here, kx, sum.data() + s.c, pitch - s.c);
          add_scaled_difference(here, here + s.c, kx, sum.data(), pitch - s.c);
          if (h > 0) add_scaled_difference(here, here - pitch, ky, sum.data(), pitch);
          if (h + 1 < s.h) add_scaled_difference(here, here + pitch, ky, sum.data(), pitch);
          auto* to = gradients + row * pitch;
          for (std::int64_t i = 0; i < pitch; ++i) store_gradient(to[i], sum[i], accumulate);
        }
      });
    });
  });
}

}  // namespace chiaro::losses::cpu
