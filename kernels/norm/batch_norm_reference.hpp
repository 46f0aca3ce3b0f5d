// The formulas of batch_norm.hpp in plain loops.
#pragma once
#include <cmath>

#include "kernels/base/blocks.hpp"
#include "kernels/norm/batch_norm.hpp"

namespace chiaro::batch_norm::reference {

template <class T>
void forward(const T* x, Shape s, const Parameters& b, T* y) {
  using A = Accumulator<T>;
  for (std::int64_t p = 0; p < s.n * s.pixels(); ++p)
    for (std::int64_t c = 0; c < s.c; ++c) {
      const A normal = (A(x[p * s.c + c]) - A(b.mean[c])) / std::sqrt(A(b.variance[c]) + A(b.eps));
      const A value = A(b.scale[c]) * normal + A(b.offset[c]);
      y[p * s.c + c] = T(b.relu && value < 0 ? A(0) : value);
    }
}

template <class T>
void backward(const T* y, const T* dy, Shape s, const Parameters& b, T* dx, bool accumulate) {
  using A = Accumulator<T>;
  for (std::int64_t p = 0; p < s.n * s.pixels(); ++p)
    for (std::int64_t c = 0; c < s.c; ++c) {
      const std::int64_t i = p * s.c + c;
      const bool open = !b.relu || A(y[i]) > 0;
      const A slope = A(b.scale[c]) / std::sqrt(A(b.variance[c]) + A(b.eps));
      const A gradient = open ? A(dy[i]) * slope : A(0);
      dx[i] = T(accumulate ? A(dx[i]) + gradient : gradient);
    }
}

}  // namespace chiaro::batch_norm::reference
