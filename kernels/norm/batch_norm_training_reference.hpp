// Textbook loops for batch_norm_training.hpp, in the order of its formulas. T: float, double or bf16.
//
// Sums and parameters are double for double, float otherwise. Backward overwrites every gradient, and skips
// dresidual when it is null. running_mean and running_variance may be null.
#pragma once
#include <cmath>

#include "kernels/base/blocks.hpp"
#include "kernels/norm/batch_norm_training.hpp"

namespace chiaro::batch_norm::training::reference {

template <class T>
void forward(const Shape& s, const T* x, const Accumulator<T>* scale, const Accumulator<T>* offset,
             const T* residual, T* y, Accumulator<T>* mean, Accumulator<T>* rstd,
             Accumulator<T>* running_mean, Accumulator<T>* running_variance, const Attributes& attr) {
  using A = Accumulator<T>;
  const std::int64_t pixels = s.n * s.pixels();
  for (std::int64_t c = 0; c < s.c; ++c) {
    A sum = 0, squares = 0;
    for (std::int64_t p = 0; p < pixels; ++p) sum += A(x[p * s.c + c]);
    mean[c] = sum / A(pixels);
    for (std::int64_t p = 0; p < pixels; ++p) {
      const A d = A(x[p * s.c + c]) - mean[c];
      squares += d * d;
    }
    rstd[c] = 1 / std::sqrt(squares / A(pixels) + A(attr.eps));
    if (running_mean) {
      const A momentum = A(attr.momentum);
      running_mean[c] = (1 - momentum) * running_mean[c] + momentum * mean[c];
      running_variance[c] = (1 - momentum) * running_variance[c] + momentum * squares / A(pixels - 1);
    }
    for (std::int64_t p = 0; p < pixels; ++p) {
      const std::int64_t i = p * s.c + c;
      A value = scale[c] * (A(x[i]) - mean[c]) * rstd[c] + offset[c];
      if (residual) value += A(residual[i]);
      y[i] = T(attr.relu && value < 0 ? A(0) : value);
    }
  }
}

template <class T>
void backward(const Shape& s, const T* x, const T* y, const Accumulator<T>* scale, const Accumulator<T>* mean,
              const Accumulator<T>* rstd, const T* dy, T* dx, Accumulator<T>* dscale, Accumulator<T>* doffset,
              T* dresidual, const Attributes& attr) {
  using A = Accumulator<T>;
  const std::int64_t pixels = s.n * s.pixels();
  for (std::int64_t c = 0; c < s.c; ++c) {
    const auto g = [&](std::int64_t i) { return !attr.relu || A(y[i]) > 0 ? A(dy[i]) : A(0); };
    const auto xhat = [&](std::int64_t i) { return (A(x[i]) - mean[c]) * rstd[c]; };
    A sum_g = 0, sum_gx = 0;
    for (std::int64_t p = 0; p < pixels; ++p) {
      const std::int64_t i = p * s.c + c;
      sum_g += g(i);
      sum_gx += g(i) * xhat(i);
    }
    doffset[c] = sum_g;
    dscale[c] = sum_gx;
    for (std::int64_t p = 0; p < pixels; ++p) {
      const std::int64_t i = p * s.c + c;
      dx[i] = T(scale[c] * rstd[c] * (g(i) - sum_g / A(pixels) - xhat(i) * sum_gx / A(pixels)));
      if (dresidual) dresidual[i] = T(g(i));
    }
  }
}

}  // namespace chiaro::batch_norm::training::reference
