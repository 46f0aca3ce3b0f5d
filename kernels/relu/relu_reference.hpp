// Textbook loops for relu.hpp. T: float, double or bf16. Backward overwrites dx.
#pragma once
#include <cstdint>

#include "kernels/common/bf16.hpp"

namespace chiaro::relu::reference {

template <class T>
void forward(const T* x, T* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] < T(0) ? T(0) : x[i];
}

template <class T>
void backward(const T* y, const T* dy, T* dx, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) dx[i] = y[i] > T(0) ? dy[i] : T(0);
}

}  // namespace chiaro::relu::reference
