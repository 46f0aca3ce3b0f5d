// The loss of berhu.hpp in plain loops. Targets are given in the accumulator's type.
#pragma once
#include <algorithm>
#include <cmath>

#include "kernels/base/blocks.hpp"
#include "kernels/losses/berhu.hpp"

namespace chiaro::losses::reference {

// c: where the loss turns from linear to quadratic; m: the number of valid pixels.
template <class T>
void berhu_state(const T* prediction, const Accumulator<T>* target, std::int64_t count, Accumulator<T>* c,
                 std::int64_t* m) {
  using A = Accumulator<T>;
  A largest = 0;
  *m = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!(target[i] > 0)) continue;
    largest = std::max(largest, std::abs(A(prediction[i]) - target[i]));
    ++*m;
  }
  *c = A(kBerhuFraction) * largest;
}

template <class T>
Accumulator<T> berhu_forward(const T* prediction, const Accumulator<T>* target, std::int64_t count,
                             Accumulator<T> c, std::int64_t m, double scale) {
  using A = Accumulator<T>;
  A sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!(target[i] > 0)) continue;
    const A d = std::abs(A(prediction[i]) - target[i]);
    sum += d <= c ? d : (d * d + c * c) / (2 * c);
  }
  return m > 0 ? A(scale) * sum / A(m) : A(0);
}

template <class T>
void berhu_backward(const T* prediction, const Accumulator<T>* target, std::int64_t count, Accumulator<T> c,
                    std::int64_t m, double scale, T* dprediction, bool accumulate) {
  using A = Accumulator<T>;
  for (std::int64_t i = 0; i < count; ++i) {
    A gradient = 0;
    if (target[i] > 0) {
      const A d = A(prediction[i]) - target[i];
      gradient = A(scale) / A(m) * (std::abs(d) > c ? d / c : d > 0 ? A(1) : d < 0 ? A(-1) : A(0));
    }
    dprediction[i] = T(accumulate ? A(dprediction[i]) + gradient : gradient);
  }
}

}  // namespace chiaro::losses::reference
