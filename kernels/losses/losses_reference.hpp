// The losses of losses.hpp in plain loops: each returns scale * L and, where a gradient is given, writes or
// adds scale * dL.
#pragma once
#include <algorithm>
#include <cmath>

#include "kernels/base/blocks.hpp"
#include "kernels/losses/losses.hpp"

namespace chiaro::losses::reference {

template <class T>
void put(T& to, Accumulator<T> gradient, bool accumulate) {
  to = T(accumulate ? Accumulator<T>(to) + gradient : gradient);
}

// a: (N,H,W,C), b: (Nb,H,W,C) with Nb = N or 1
template <class T>
Accumulator<T> mse(const T* a, Shape s, const T* b, std::int64_t b_pictures, double scale, T* da = nullptr,
                   bool accumulate = false) {
  using A = Accumulator<T>;
  const std::int64_t b_count = s.count() / s.n * b_pictures;
  A sum = 0;
  for (std::int64_t i = 0; i < s.count(); ++i) {
    const A d = A(a[i]) - A(b[i % b_count]);
    sum += d * d;
    if (da) put(da[i], A(2 * scale) * d, accumulate);
  }
  return A(scale) * sum;
}

// scale / number of differences along each axis; 0 for an axis of extent 1
inline double tv_horizontal_scale(Shape s, double scale) {
  return s.w > 1 ? scale / static_cast<double>(s.n * s.h * (s.w - 1) * s.c) : 0.0;
}
inline double tv_vertical_scale(Shape s, double scale) {
  return s.h > 1 ? scale / static_cast<double>(s.n * (s.h - 1) * s.w * s.c) : 0.0;
}

template <class T>
Accumulator<T> tv(const T* x, Shape s, double scale, T* dx = nullptr, bool accumulate = false) {
  using A = Accumulator<T>;
  const A kx = A(2 * tv_horizontal_scale(s, scale)), ky = A(2 * tv_vertical_scale(s, scale));
  const std::int64_t row = s.w * s.c;
  A horizontal = 0, vertical = 0;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t h = 0; h < s.h; ++h)
      for (std::int64_t w = 0; w < s.w; ++w)
        for (std::int64_t c = 0; c < s.c; ++c) {
          const std::int64_t i = ((n * s.h + h) * s.w + w) * s.c + c;
          const A right = w + 1 < s.w ? A(x[i + s.c]) - A(x[i]) : A(0);
          const A down = h + 1 < s.h ? A(x[i + row]) - A(x[i]) : A(0);
          horizontal += right * right;
          vertical += down * down;
          if (!dx) continue;
          const A left = w > 0 ? A(x[i]) - A(x[i - s.c]) : A(0);
          const A up = h > 0 ? A(x[i]) - A(x[i - row]) : A(0);
          put(dx[i], kx * (left - right) + ky * (up - down), accumulate);
        }
  return A(tv_horizontal_scale(s, scale)) * horizontal + A(tv_vertical_scale(s, scale)) * vertical;
}

template <class T>
Accumulator<T> range(const T* x, Shape s, double low, double high, double scale, T* dx = nullptr,
                     bool accumulate = false) {
  using A = Accumulator<T>;
  A sum = 0;
  for (std::int64_t i = 0; i < s.count(); ++i) {
    const A v = A(x[i]), e = v < A(low) ? v - A(low) : v > A(high) ? v - A(high) : v - v;
    sum += e * e;
    if (dx) put(dx[i], A(2 * scale) * e, accumulate);
  }
  return A(scale) * sum;
}

template <class T>
Accumulator<T> nmse(const T* a, Shape s, const T* b, double scale, T* da = nullptr, bool accumulate = false) {
  using A = Accumulator<T>;
  const std::int64_t count = s.h * s.w * s.c;
  A total = 0;
  for (std::int64_t n = 0; n < s.n; ++n) {
    A error = 0, wanted = 0;
    for (std::int64_t i = n * count; i < (n + 1) * count; ++i) {
      const A d = A(a[i]) - A(b[i]);
      error += d * d;
      wanted += A(b[i]) * A(b[i]);
    }
    if (wanted != 0) total += error / wanted;
    const A factor = wanted != 0 ? A(2 * scale) / wanted : A(0);
    for (std::int64_t i = n * count; da && i < (n + 1) * count; ++i)
      put(da[i], factor * (A(a[i]) - A(b[i])), accumulate);
  }
  return A(scale) * total;
}

// Where berHu turns from linear to quadratic.
template <class T>
Accumulator<T> berhu_corner(const T* prediction, const Accumulator<T>* target, std::int64_t count) {
  using A = Accumulator<T>;
  A largest = 0;
  for (std::int64_t i = 0; i < count; ++i)
    if (target[i] > 0) largest = std::max(largest, std::abs(A(prediction[i]) - target[i]));
  return A(kBerhuFraction) * largest;
}

// c: berhu_corner(), or another, to be held while the prediction changes. Targets in the accumulator's type.
template <class T>
Accumulator<T> berhu(const T* prediction, const Accumulator<T>* target, std::int64_t count, Accumulator<T> c,
                     double scale, T* dprediction = nullptr, bool accumulate = false) {
  using A = Accumulator<T>;
  const std::int64_t valid =
      std::count_if(target, target + count, [](Accumulator<T> depth) { return depth > 0; });
  const A factor = valid > 0 ? A(scale) / A(valid) : A(0);
  A sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const A d = target[i] > 0 ? A(prediction[i]) - target[i] : A(0);
    const bool beyond = std::abs(d) > c;
    sum += beyond ? (d * d + c * c) / (2 * c) : std::abs(d);
    if (dprediction) put(dprediction[i], factor * (beyond ? d / c : A(d > 0) - A(d < 0)), accumulate);
  }
  return factor * sum;
}

}  // namespace chiaro::losses::reference
