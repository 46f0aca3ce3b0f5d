// Textbook loops for upsample.hpp. T: float, double or bf16; sums run in double for double, else in float.
#pragma once
#include <cstdint>
#include <type_traits>

#include "kernels/base/tensor.hpp"

namespace chiaro::upsample::reference {

// x: s, y: twice as high and wide
template <class T>
void forward(const T* x, T* y, const Shape& s) {
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t h = 0; h < 2 * s.h; ++h)
      for (std::int64_t w = 0; w < 2 * s.w; ++w)
        for (std::int64_t c = 0; c < s.c; ++c)
          y[((n * 2 * s.h + h) * 2 * s.w + w) * s.c + c] = x[((n * s.h + h / 2) * s.w + w / 2) * s.c + c];
}

// Overwrites dx (shape s).
template <class T>
void backward(const T* dy, T* dx, const Shape& s) {
  using Real = std::conditional_t<std::is_same_v<T, double>, double, float>;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t i = 0; i < s.h; ++i)
      for (std::int64_t j = 0; j < s.w; ++j)
        for (std::int64_t c = 0; c < s.c; ++c) {
          Real sum = 0;
          for (std::int64_t a = 0; a < 2; ++a)
            for (std::int64_t b = 0; b < 2; ++b)
              sum += Real(dy[((n * 2 * s.h + 2 * i + a) * 2 * s.w + 2 * j + b) * s.c + c]);
          dx[((n * s.h + i) * s.w + j) * s.c + c] = T(sum);
        }
}

// w: (K,3,3,C), w4: (4K,2,2,C): which taps fall on the same low-resolution pixel, written out.
template <class T>
void fold_weights(const T* w, std::int64_t k, std::int64_t c, T* w4) {
  constexpr bool kFalls[2][2][3] = {{{true, false, false}, {false, true, true}},  // [a][u][r]
                                    {{true, true, false}, {false, false, true}}};
  for (std::int64_t a = 0; a < 2; ++a)
    for (std::int64_t b = 0; b < 2; ++b)
      for (std::int64_t i = 0; i < k; ++i)
        for (std::int64_t u = 0; u < 2; ++u)
          for (std::int64_t v = 0; v < 2; ++v)
            for (std::int64_t j = 0; j < c; ++j) {
              T sum = 0;
              for (std::int64_t r = 0; r < 3; ++r)
                for (std::int64_t s = 0; s < 3; ++s)
                  if (kFalls[a][u][r] && kFalls[b][v][s]) sum += w[((i * 3 + r) * 3 + s) * c + j];
              w4[((((2 * a + b) * k + i) * 2 + u) * 2 + v) * c + j] = sum;
            }
}

}  // namespace chiaro::upsample::reference
