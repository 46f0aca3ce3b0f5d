// The formulas of tanh_output.hpp in plain loops.
#pragma once
#include <cmath>

#include "kernels/common/blocks.hpp"
#include "kernels/tanh_output/tanh_output.hpp"

namespace chiaro::tanh_output::reference {

template <class T>
void forward(const T* x, std::int64_t count, T* y) {
  using A = Accumulator<T>;
  for (std::int64_t i = 0; i < count; ++i) y[i] = T(A(kAmplitude) * std::tanh(A(x[i])) + A(kCenter));
}

template <class T>
void backward(const T* y, const T* dy, std::int64_t count, T* dx, bool accumulate) {
  using A = Accumulator<T>;
  for (std::int64_t i = 0; i < count; ++i) {
    const A t = (A(y[i]) - A(kCenter)) / A(kAmplitude);
    const A gradient = A(dy[i]) * A(kAmplitude) * (1 - t * t);
    dx[i] = T(accumulate ? A(dx[i]) + gradient : gradient);
  }
}

}  // namespace chiaro::tanh_output::reference
