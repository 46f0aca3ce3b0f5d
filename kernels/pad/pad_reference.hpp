// Textbook loops for pad.hpp, in the order of its formulas. T: float, double or bf16.
//
// The backward functions overwrite; sums run in double for double, in float otherwise.
#pragma once
#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernels/base/tensor.hpp"

namespace chiaro::pad::reference {

template <class T>
using Accumulator = std::conditional_t<std::is_same_v<T, double>, double, float>;

// x: inner, y: b.outer(inner)
template <class T>
void forward(const T* x, T* y, const Shape& inner, const Pad& b) {
  const Shape outer = b.outer(inner);
  for (std::int64_t n = 0; n < outer.n; ++n)
    for (std::int64_t i = 0; i < outer.h; ++i)
      for (std::int64_t j = 0; j < outer.w; ++j)
        for (std::int64_t c = 0; c < outer.c; ++c) {
          const std::int64_t h = pad_source(i, b.top, inner.h, b.mode);
          const std::int64_t w = pad_source(j, b.left, inner.w, b.mode);
          y[((n * outer.h + i) * outer.w + j) * outer.c + c] =
              x[((n * inner.h + h) * inner.w + w) * inner.c + c];
        }
}

// dy: b.outer(inner), dx: inner
template <class T>
void backward(const T* dy, T* dx, const Shape& inner, const Pad& b) {
  const Shape outer = b.outer(inner);
  std::vector<Accumulator<T>> sum(inner.count());
  for (std::int64_t n = 0; n < outer.n; ++n)
    for (std::int64_t i = 0; i < outer.h; ++i)
      for (std::int64_t j = 0; j < outer.w; ++j)
        for (std::int64_t c = 0; c < outer.c; ++c) {
          const std::int64_t h = pad_source(i, b.top, inner.h, b.mode);
          const std::int64_t w = pad_source(j, b.left, inner.w, b.mode);
          sum[((n * inner.h + h) * inner.w + w) * inner.c + c] +=
              dy[((n * outer.h + i) * outer.w + j) * outer.c + c];
        }
  for (std::int64_t i = 0; i < inner.count(); ++i) dx[i] = T(sum[i]);
}

// x: whole, y: part, whose corner is at (row0, col0) of x
template <class T>
void crop_forward(const T* x, T* y, const Shape& whole, const Shape& part, std::int64_t row0,
                  std::int64_t col0) {
  for (std::int64_t n = 0; n < part.n; ++n)
    for (std::int64_t i = 0; i < part.h; ++i)
      for (std::int64_t j = 0; j < part.w; ++j)
        for (std::int64_t c = 0; c < part.c; ++c)
          y[((n * part.h + i) * part.w + j) * part.c + c] =
              x[((n * whole.h + i + row0) * whole.w + j + col0) * whole.c + c];
}

// dy: part, dx: whole
template <class T>
void crop_backward(const T* dy, T* dx, const Shape& whole, const Shape& part, std::int64_t row0,
                   std::int64_t col0) {
  for (std::int64_t i = 0; i < whole.count(); ++i) dx[i] = T(0);
  for (std::int64_t n = 0; n < part.n; ++n)
    for (std::int64_t i = 0; i < part.h; ++i)
      for (std::int64_t j = 0; j < part.w; ++j)
        for (std::int64_t c = 0; c < part.c; ++c)
          dx[((n * whole.h + i + row0) * whole.w + j + col0) * whole.c + c] =
              dy[((n * part.h + i) * part.w + j) * part.c + c];
}

}  // namespace chiaro::pad::reference
