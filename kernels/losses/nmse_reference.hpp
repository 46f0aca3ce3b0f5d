// The loss of nmse.hpp in plain loops.
#pragma once
#include "kernels/base/blocks.hpp"
#include "kernels/losses/nmse.hpp"

namespace chiaro::losses::reference {

// Sum of squares of picture n.
template <class T>
Accumulator<T> picture_energy(const T* b, Shape s, std::int64_t n) {
  using A = Accumulator<T>;
  const std::int64_t count = s.h * s.w * s.c;
  A sum = 0;
  for (std::int64_t i = n * count; i < (n + 1) * count; ++i) sum += A(b[i]) * A(b[i]);
  return sum;
}

template <class T>
Accumulator<T> nmse_forward(const T* a, Shape s, const T* b, double scale) {
  using A = Accumulator<T>;
  const std::int64_t count = s.h * s.w * s.c;
  A total = 0;
  for (std::int64_t n = 0; n < s.n; ++n) {
    const A wanted = picture_energy(b, s, n);
    A error = 0;
    for (std::int64_t i = n * count; i < (n + 1) * count; ++i) {
      const A d = A(a[i]) - A(b[i]);
      error += d * d;
    }
    if (wanted != 0) total += error / wanted;
  }
  return A(scale) * total;
}

template <class T>
void nmse_backward(const T* a, Shape s, const T* b, double scale, T* da, bool accumulate) {
  using A = Accumulator<T>;
  const std::int64_t count = s.h * s.w * s.c;
  for (std::int64_t n = 0; n < s.n; ++n) {
    const A wanted = picture_energy(b, s, n);
    const A factor = wanted != 0 ? A(2 * scale) / wanted : A(0);
    for (std::int64_t i = n * count; i < (n + 1) * count; ++i) {
      const A gradient = factor * (A(a[i]) - A(b[i]));
      da[i] = T(accumulate ? A(da[i]) + gradient : gradient);
    }
  }
}

}  // namespace chiaro::losses::reference
