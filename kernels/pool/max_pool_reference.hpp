// Max pooling in plain loops: the formula of max_pool.hpp.
#pragma once
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/base/blocks.hpp"
#include "kernels/pool/max_pool.hpp"

namespace chiaro::max_pool::reference {

// Index into x of the first maximum of one window, -1 when the window lies in the padding alone.
template <class T>
std::int64_t first_maximum(const T* x, Shape s, const Attributes& a, std::int64_t n, std::int64_t p,
                           std::int64_t q, std::int64_t c) {
  using A = Accumulator<T>;
  std::int64_t best = -1;
  for (std::int64_t r = 0; r < a.window; ++r)
    for (std::int64_t t = 0; t < a.window; ++t) {
      const std::int64_t h = p * a.stride - a.pad_top + r, w = q * a.stride - a.pad_left + t;
      if (h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
      const std::int64_t i = ((n * s.h + h) * s.w + w) * s.c + c;
      const bool best_is_nan = best >= 0 && std::isnan(A(x[best]));
      if (best < 0 || (!best_is_nan && (A(x[i]) > A(x[best]) || std::isnan(A(x[i]))))) best = i;
    }
  return best;
}

// x: (N,H,W,C), y: (N,P,Q,C)
template <class T>
void forward(const T* x, Shape s, T* y, const Attributes& a) {
  const Shape o = output_shape(s, a);
  for (std::int64_t n = 0; n < o.n; ++n)
    for (std::int64_t p = 0; p < o.h; ++p)
      for (std::int64_t q = 0; q < o.w; ++q)
        for (std::int64_t c = 0; c < o.c; ++c) {
          const std::int64_t best = first_maximum(x, s, a, n, p, q, c);
          y[((n * o.h + p) * o.w + q) * o.c + c] =
              best < 0 ? T(-std::numeric_limits<float>::infinity()) : x[best];
        }
}

// dx = (accumulate ? dx : 0) + gradient; relu: the gradient counts where x > 0 only.
template <class T>
void backward(const T* x, Shape s, const T* dy, T* dx, bool accumulate, const Attributes& a,
              bool relu = false) {
  using A = Accumulator<T>;
  const Shape o = output_shape(s, a);
  std::vector<A> sum(static_cast<std::size_t>(s.count()), A(0));
  for (std::int64_t n = 0; n < o.n; ++n)
    for (std::int64_t p = 0; p < o.h; ++p)
      for (std::int64_t q = 0; q < o.w; ++q)
        for (std::int64_t c = 0; c < o.c; ++c) {
          const std::int64_t best = first_maximum(x, s, a, n, p, q, c);
          if (best >= 0) sum[best] += A(dy[((n * o.h + p) * o.w + q) * o.c + c]);
        }
  for (std::int64_t i = 0; i < s.count(); ++i) {
    if (relu && !(A(x[i]) > 0)) sum[i] = 0;
    dx[i] = T(accumulate ? A(dx[i]) + sum[i] : sum[i]);
  }
}

}  // namespace chiaro::max_pool::reference
