// The losses of losses.hpp in plain loops.
#pragma once
#include "kernels/base/blocks.hpp"
#include "kernels/losses/losses.hpp"

namespace chiaro::losses::reference {

// a: (N,H,W,C), b: (Nb,H,W,C) with Nb = N or 1
template <class T>
Accumulator<T> mse_forward(const T* a, Shape s, const T* b, std::int64_t b_pictures, double scale) {
  using A = Accumulator<T>;
  const std::int64_t b_count = s.count() / s.n * b_pictures;
  A sum = 0;
  for (std::int64_t i = 0; i < s.count(); ++i) {
    const A d = A(a[i]) - A(b[i % b_count]);
    sum += d * d;
  }
  return A(scale) * sum;
}

template <class T>
void mse_backward(const T* a, Shape s, const T* b, std::int64_t b_pictures, double scale, T* da,
                  bool accumulate) {
  using A = Accumulator<T>;
  const std::int64_t b_count = s.count() / s.n * b_pictures;
  for (std::int64_t i = 0; i < s.count(); ++i) {
    const A gradient = A(2 * scale) * (A(a[i]) - A(b[i % b_count]));
    da[i] = T(accumulate ? A(da[i]) + gradient : gradient);
  }
}

// scale / number of differences along each axis; 0 for an axis of extent 1
inline double tv_horizontal_scale(Shape s, double scale) {
  return s.w > 1 ? scale / static_cast<double>(s.n * s.h * (s.w - 1) * s.c) : 0.0;
}
inline double tv_vertical_scale(Shape s, double scale) {
  return s.h > 1 ? scale / static_cast<double>(s.n * (s.h - 1) * s.w * s.c) : 0.0;
}

template <class T>
Accumulator<T> tv_forward(const T* x, Shape s, double scale) {
  using A = Accumulator<T>;
  const auto at = [&](std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c) {
    return A(x[((n * s.h + h) * s.w + w) * s.c + c]);
  };
  A horizontal = 0, vertical = 0;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t h = 0; h < s.h; ++h)
      for (std::int64_t w = 0; w < s.w; ++w)
        for (std::int64_t c = 0; c < s.c; ++c) {
          const A right = w + 1 < s.w ? at(n, h, w + 1, c) - at(n, h, w, c) : A(0);
          const A down = h + 1 < s.h ? at(n, h + 1, w, c) - at(n, h, w, c) : A(0);
          horizontal += right * right;
          vertical += down * down;
        }
  return A(tv_horizontal_scale(s, scale)) * horizontal + A(tv_vertical_scale(s, scale)) * vertical;
}

template <class T>
void tv_backward(const T* x, Shape s, double scale, T* dx, bool accumulate) {
  using A = Accumulator<T>;
  const auto index = [&](std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c) {
    return ((n * s.h + h) * s.w + w) * s.c + c;
  };
  const A kx = A(2 * tv_horizontal_scale(s, scale)), ky = A(2 * tv_vertical_scale(s, scale));
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t h = 0; h < s.h; ++h)
      for (std::int64_t w = 0; w < s.w; ++w)
        for (std::int64_t c = 0; c < s.c; ++c) {
          const std::int64_t i = index(n, h, w, c);
          A gradient = 0;
          if (w > 0) gradient += kx * (A(x[i]) - A(x[index(n, h, w - 1, c)]));
          if (w + 1 < s.w) gradient -= kx * (A(x[index(n, h, w + 1, c)]) - A(x[i]));
          if (h > 0) gradient += ky * (A(x[i]) - A(x[index(n, h - 1, w, c)]));
          if (h + 1 < s.h) gradient -= ky * (A(x[index(n, h + 1, w, c)]) - A(x[i]));
          dx[i] = T(accumulate ? A(dx[i]) + gradient : gradient);
        }
}

template <class T>
Accumulator<T> excess(const T& x, double low, double high) {
  using A = Accumulator<T>;
  return A(x) < A(low) ? A(x) - A(low) : A(x) > A(high) ? A(x) - A(high) : A(x) - A(x);
}

template <class T>
Accumulator<T> range_forward(const T* x, Shape s, double low, double high, double scale) {
  using A = Accumulator<T>;
  A sum = 0;
  for (std::int64_t i = 0; i < s.count(); ++i) sum += excess(x[i], low, high) * excess(x[i], low, high);
  return A(scale) * sum;
}

template <class T>
void range_backward(const T* x, Shape s, double low, double high, double scale, T* dx, bool accumulate) {
  using A = Accumulator<T>;
  for (std::int64_t i = 0; i < s.count(); ++i) {
    const A gradient = A(2 * scale) * excess(x[i], low, high);
    dx[i] = T(accumulate ? A(dx[i]) + gradient : gradient);
  }
}

}  // namespace chiaro::losses::reference
