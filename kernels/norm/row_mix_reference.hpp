// The formulas of row_mix.hpp in plain loops.
#pragma once
#include "kernels/norm/row_mix.hpp"

namespace chiaro::row_mix::reference {

template <class T>
void forward(const Sizes& s, const T* w, const T* t, T* y) {
  for (std::int64_t n = 0; n < s.pictures; ++n)
    for (std::int64_t i = 0; i < s.length; ++i) {
      T sum = 0;
      for (std::int64_t row = 0; row < s.rows; ++row) sum += w[n * s.rows + row] * t[row * s.length + i];
      y[n * s.length + i] = sum;
    }
}

template <class T>
void backward(const Sizes& s, const T* w, const T* dy, T* dt, bool accumulate) {
  for (std::int64_t row = 0; row < s.rows; ++row)
    for (std::int64_t i = 0; i < s.length; ++i) {
      T sum = accumulate ? dt[row * s.length + i] : T(0);
      for (std::int64_t n = 0; n < s.pictures; ++n) sum += w[n * s.rows + row] * dy[n * s.length + i];
      dt[row * s.length + i] = sum;
    }
}

}  // namespace chiaro::row_mix::reference
