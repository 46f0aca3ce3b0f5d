// Convolution by plain loops, in the order of the formulas of conv2d.hpp. The yardstick for the fast kernels
// (T, U = float, bf16), the gradient checks (double) and the last resort.
//   T: type of x, dx and w.  U: type of y and dy.
// Sums over window and channels run in double for double and float, so that what this path gives in fp32 has
// the rounding of its inputs and outputs only; in float for bf16, as in the fast kernels.
// All arrays are dense: NHWC activations, KRSC weights. bias may be null.
#pragma once
#include <algorithm>
#include <type_traits>

#include "kernels/base/parallel.hpp"
#include "kernels/conv2d/conv2d.hpp"

namespace chiaro::conv2d::reference {

template <class T>
using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;  // of bias, dw and db
template <class T>
using Wide = std::conditional_t<sizeof(T) >= sizeof(float), double, float>;  // of running sums

template <class T, class U>
void forward(const Problem& a, const T* x, const T* w, const Sum<T>* bias, U* y) {
  const Shape out = a.y();
  parallel_for(out.n * out.h, [&](int64_t row) {
    const int64_t n = row / out.h, p = row % out.h;
    for (int64_t q = 0; q < out.w; ++q)
      for (int64_t k = 0; k < a.k; ++k) {
        Wide<T> sum = bias ? bias[k] : 0;
        for (int64_t r = 0; r < a.r; ++r)
          for (int64_t s = 0; s < a.s; ++s) {
            const int64_t h = p * a.stride + r - a.pad.top, v = q * a.stride + s - a.pad.left;
            if (h < 0 || h >= a.x.h || v < 0 || v >= a.x.w) continue;
            const T* xp = x + ((n * a.x.h + h) * a.x.w + v) * a.x.c;
            const T* wp = w + ((k * a.r + r) * a.s + s) * a.x.c;
            for (int64_t c = 0; c < a.x.c; ++c)
              sum += static_cast<Wide<T>>(xp[c]) * static_cast<Wide<T>>(wp[c]);
          }
        U& to = y[(row * out.w + q) * a.k + k];
        if (a.accumulate) sum += static_cast<Wide<T>>(to);
        to = static_cast<U>(a.relu ? std::max<Wide<T>>(sum, 0) : sum);
      }
  });
}

template <class T, class U>
void backward_data(const Problem& a, const U* dy, const T* w, T* dx, bool accumulate) {
  const Shape out = a.y();
  parallel_for(a.x.n * a.x.h, [&](int64_t row) {
    const int64_t n = row / a.x.h, h = row % a.x.h;
    for (int64_t v = 0; v < a.x.w; ++v)
      for (int64_t c = 0; c < a.x.c; ++c) {
        T& to = dx[(row * a.x.w + v) * a.x.c + c];
        Wide<T> sum = accumulate ? static_cast<Wide<T>>(to) : 0;
        for (int64_t r = 0; r < a.r; ++r)
          for (int64_t s = 0; s < a.s; ++s) {
            const int64_t from_h = h + a.pad.top - r, from_v = v + a.pad.left - s;
            if (from_h < 0 || from_v < 0 || from_h % a.stride || from_v % a.stride) continue;
            const int64_t p = from_h / a.stride, q = from_v / a.stride;
            if (p >= out.h || q >= out.w) continue;
            const U* dyp = dy + ((n * out.h + p) * out.w + q) * a.k;
            const T* wp = w + (r * a.s + s) * a.x.c + c;
            for (int64_t k = 0; k < a.k; ++k)
              sum += static_cast<Wide<T>>(dyp[k]) * static_cast<Wide<T>>(wp[k * a.r * a.s * a.x.c]);
          }
        to = static_cast<T>(sum);
      }
  });
}

// dw, db: overwritten or added to.
template <class T, class U>
void backward_weights(const Problem& a, const T* x, const U* dy, Sum<T>* dw, Sum<T>* db, bool accumulate) {
  const Shape out = a.y();
  parallel_for(a.k * a.r, [&](int64_t kr) {
    const int64_t k = kr / a.r, r = kr % a.r;
    Sum<T>* row = dw + kr * a.s * a.x.c;  // (S, C)
    if (!accumulate) std::fill(row, row + a.s * a.x.c, Sum<T>(0));
    if (db && r == 0 && !accumulate) db[k] = 0;
    for (int64_t n = 0; n < out.n; ++n)
      for (int64_t p = 0; p < out.h; ++p)
        for (int64_t q = 0; q < out.w; ++q) {
          const auto g = static_cast<Sum<T>>(dy[((n * out.h + p) * out.w + q) * a.k + k]);
          if (db && r == 0) db[k] += g;
          const int64_t h = p * a.stride + r - a.pad.top;
          if (h < 0 || h >= a.x.h) continue;
          for (int64_t s = 0; s < a.s; ++s) {
            const int64_t v = q * a.stride + s - a.pad.left;
            if (v < 0 || v >= a.x.w) continue;
            const T* xp = x + ((n * a.x.h + h) * a.x.w + v) * a.x.c;
            for (int64_t c = 0; c < a.x.c; ++c) row[s * a.x.c + c] += g * static_cast<Sum<T>>(xp[c]);
          }
        }
  });
}

}  // namespace chiaro::conv2d::reference
