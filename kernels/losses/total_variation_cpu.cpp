// Total variation, by rows.
#include <vector>

#include "kernels/base/blocks.hpp"
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

// The rows of one block, and what becomes of them. Squared differences are kept by row, so that their sum
// does not depend on the number of threads.
template <class T>
class Rows {
 public:
  Rows(const T* x, Shape shape) : x_(x), shape_(shape), pitch_(shape.w * shape.c) {}

  void sums(std::int64_t begin, std::int64_t end, double* horizontal, double* vertical) const {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* here = x_ + row * pitch_;
      horizontal[row] = squared_distance(here, here + shape_.c, pitch_ - shape_.c);
      vertical[row] = has_below(row) ? squared_distance(here, here + pitch_, pitch_) : 0.0;
    }
  }

  template <class D>
  void gradients(std::int64_t begin, std::int64_t end, float kx, float ky, D* dx, bool accumulate) const {
    std::vector<float> sum(static_cast<std::size_t>(pitch_));
    for (std::int64_t row = begin; row < end; ++row) {
      const T* here = x_ + row * pitch_;
      std::fill(sum.begin(), sum.end(), 0.f);
      add_scaled_difference(here + shape_.c, here, kx, sum.data() + shape_.c, pitch_ - shape_.c);
      add_scaled_difference(here, here + shape_.c, kx, sum.data(), pitch_ - shape_.c);
      if (row % shape_.h > 0) add_scaled_difference(here, here - pitch_, ky, sum.data(), pitch_);
      if (has_below(row)) add_scaled_difference(here, here + pitch_, ky, sum.data(), pitch_);
      D* to = dx + row * pitch_;
      for (std::int64_t i = 0; i < pitch_; ++i)
        store_gradient(to[i], sum[static_cast<std::size_t>(i)], accumulate);
    }
  }

 private:
  bool has_below(std::int64_t row) const { return row % shape_.h + 1 < shape_.h; }

  const T* x_;
  Shape shape_;
  std::int64_t pitch_;
};

}  // namespace

std::int64_t tv_workspace_bytes(Shape x) {
  return 2 * x.n * x.h * static_cast<std::int64_t>(sizeof(double));
}

// Goes through the rows once.
void tv(ConstTensorView x, const Request& request) {
  const Shape s = x.shape;
  const std::int64_t rows = s.n * s.h;
  double* horizontal = static_cast<double*>(request.workspace);  // (N,H)
  double* vertical = horizontal ? horizontal + rows : nullptr;   // (N,H)
  const auto kx = static_cast<float>(2 * reference::tv_horizontal_scale(s, request.gradient_scale));
  const auto ky = static_cast<float>(2 * reference::tv_vertical_scale(s, request.gradient_scale));
  visit_dtype(x.dtype, [&](auto zero) {
    visit_dtype(request.gradient_dtype(), [&](auto gradient_zero) {
      const Rows data(x.as<decltype(zero)>(), s);
      auto* dx = request.gradient_as<decltype(gradient_zero)>();
      parallel_blocks(rows, kRowBlock, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
        if (request.value) data.sums(begin, end, horizontal, vertical);
        if (dx) data.gradients(begin, end, kx, ky, dx, request.accumulates());
      });
    });
  });
  if (!request.value) return;
  double horizontal_sum = 0, vertical_sum = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    horizontal_sum += horizontal[row];
    vertical_sum += vertical[row];
  }
  *request.value = static_cast<float>(reference::tv_horizontal_scale(s, request.scale) * horizontal_sum +
                                      reference::tv_vertical_scale(s, request.scale) * vertical_sum);
}

}  // namespace chiaro::losses::cpu
