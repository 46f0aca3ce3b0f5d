// Inner loops run over the channels; work is split by picture and rows.
#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/base/blocks.hpp"
#include "kernels/pool/max_pool.hpp"

namespace chiaro::max_pool::cpu {

namespace {

// The larger of the two; NaN when either is NaN.
inline float larger(float a, float b) {
  return (b > a) | (b != b) ? b : a;
}

bool is_halving(const Attributes& a) {
  return a.window == 2 && a.stride == 2 && !a.pad_top && !a.pad_left && !a.pad_bottom && !a.pad_right;
}

// The loops over channels, kept apart from the walks over pixels so that the compiler sees plain arrays.

// y = the larger of a and b, NaN when either is NaN.
template <class A, class T>
void larger_of(const A* __restrict a, const A* __restrict b, T* __restrict y, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) store(y[i], larger(a[i], b[i]));
}

// The 2x2 window whose upper left pixel is x; the columns first, so that every loop reads whole runs.
template <class T>
void pool_four(const T* x, std::int64_t pitch, T* y, std::int64_t C) {
  constexpr std::int64_t kRun = 256;
  float columns[2][kRun];
  for (std::int64_t c = 0; c < C; c += kRun) {
    const std::int64_t run = std::min(kRun, C - c);
    larger_of(x + c, x + pitch + c, columns[0], run);
    larger_of(x + C + c, x + pitch + C + c, columns[1], run);
    larger_of(columns[0], columns[1], y + c, run);
  }
}

// dx0 and dx1: the two pixels of the upper and of the lower row. An element that takes the gradient equals y,
// so y says whether a ReLU before it lets the gradient pass.
template <bool kAccumulate, bool kRelu, class T>
void route_four(const T* __restrict x0, const T* __restrict x1, const T* __restrict y, const T* __restrict dy,
                T* __restrict dx0, T* __restrict dx1, std::int64_t C) {
#pragma omp simd
  for (std::int64_t c = 0; c < C; ++c) {
    const float max = y[c], incoming = dy[c], gradient = !kRelu || max > 0.f ? incoming : 0.f;
    const float a = x0[c], b = x0[C + c], d = x1[c];
    const bool hit_a = (a == max) | (a != a), hit_b = (b == max) | (b != b), hit_d = (d == max) | (d != d);
    store_gradient(dx0[c], hit_a ? gradient : 0.f, kAccumulate);
    store_gradient(dx0[C + c], !hit_a & hit_b ? gradient : 0.f, kAccumulate);
    store_gradient(dx1[c], !hit_a & !hit_b & hit_d ? gradient : 0.f, kAccumulate);
    store_gradient(dx1[C + c], !hit_a & !hit_b & !hit_d ? gradient : 0.f, kAccumulate);
  }
}

template <class T>
void keep_larger(float* __restrict best, const T* __restrict x, std::int64_t C) {
#pragma omp simd
  for (std::int64_t c = 0; c < C; ++c) best[c] = larger(best[c], x[c]);
}

// Adds dy where x is the first maximum met; open[c] is 1 until then.
template <class T>
void route_one(const T* __restrict x, const T* __restrict y, const T* __restrict dy,
               std::int32_t* __restrict open, std::int32_t is_ours, bool relu, float* __restrict sum,
               std::int64_t C) {
#pragma omp simd
  for (std::int64_t c = 0; c < C; ++c) {
    const float value = x[c], max = y[c], gradient = dy[c];
    const std::int32_t match = (value == max) | (value != value);
    const std::int32_t hit = open[c] & match & (!relu | (max > 0.f));
    sum[c] += (hit & is_ours) != 0 ? gradient : 0.f;
    open[c] &= ~match;
  }
}

// 2x2, stride 2, no padding.
template <class T>
void halve(const T* x, Shape s, T* y, Shape o) {
  parallel_for(o.n * o.h, [=](std::int64_t row) {
    const T* top = x + (row / o.h * s.h + row % o.h * 2) * s.w * s.c;
    for (std::int64_t q = 0; q < o.w; ++q)
      pool_four(top + 2 * q * s.c, s.w * s.c, y + (row * o.w + q) * s.c, s.c);
  });
}

// Writes both rows of x that output row p covers, and, when H is odd, the last row, which no window covers.
template <bool kAccumulate, bool kRelu, class T>
void halve_backward(const T* x, const T* y, const T* dy, Shape s, Shape o, T* dx) {
  const std::int64_t pitch = s.w * s.c;
  parallel_for(o.n * o.h, [=](std::int64_t row) {
    const std::int64_t p = row % o.h, first = (row / o.h * s.h + 2 * p) * pitch;
    for (std::int64_t q = 0; q < o.w; ++q) {
      const std::int64_t upper = first + 2 * q * s.c, lower = upper + pitch, out = (row * o.w + q) * s.c;
      route_four<kAccumulate, kRelu>(x + upper, x + lower, y + out, dy + out, dx + upper, dx + lower, s.c);
    }
    if (kAccumulate) return;
    for (std::int64_t r = 0; r < 2; ++r)
      std::fill(dx + first + r * pitch + 2 * o.w * s.c, dx + first + (r + 1) * pitch, T(0.f));
    if (p == o.h - 1) std::fill(dx + first + 2 * pitch, dx + first + (s.h - 2 * p) * pitch, T(0.f));
  });
}

template <class T>
void any_forward(const T* x, Shape s, T* y, Shape o, const Attributes& a) {
  parallel_for(o.n * o.h, [&](std::int64_t row) {
    const std::int64_t n = row / o.h, p = row % o.h;
    std::vector<float> best(static_cast<std::size_t>(s.c));
    for (std::int64_t q = 0; q < o.w; ++q) {
      std::fill(best.begin(), best.end(), -std::numeric_limits<float>::infinity());
      for (std::int64_t r = 0; r < a.window; ++r)
        for (std::int64_t t = 0; t < a.window; ++t) {
          const std::int64_t h = p * a.stride - a.pad_top + r, w = q * a.stride - a.pad_left + t;
          if (h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
          keep_larger(best.data(), x + ((n * s.h + h) * s.w + w) * s.c, s.c);
        }
      for (std::int64_t c = 0; c < s.c; ++c) store(y[(row * o.w + q) * s.c + c], best[c]);
    }
  });
}

// Each task owns a block of rows of dx and visits every window that touches them: windows that straddle two
// blocks are looked at twice, but nothing is written by two tasks.
template <class T>
void any_backward(const T* x, const T* y, const T* dy, Shape s, Shape o, T* dx, bool accumulate,
                  const Attributes& a, bool relu) {
  constexpr std::int64_t kRows = 8;
  const std::int64_t pitch = s.w * s.c, blocks = divide_up(s.h, kRows);
  parallel_for(s.n * blocks, [&](std::int64_t task) {
    const std::int64_t n = task / blocks, begin = task % blocks * kRows, end = std::min(begin + kRows, s.h);
    std::vector<float> sum(static_cast<std::size_t>((end - begin) * pitch), 0.f);
    std::vector<std::int32_t> open(static_cast<std::size_t>(s.c));  // 1 until the window's maximum was met
    const std::int64_t p_begin =
        std::max<std::int64_t>(0, divide_up(begin + a.pad_top - a.window + 1, a.stride));
    for (std::int64_t p = p_begin; p < o.h && p * a.stride - a.pad_top < end; ++p)
      for (std::int64_t q = 0; q < o.w; ++q) {
        std::fill(open.begin(), open.end(), 1);
        const std::int64_t out = ((n * o.h + p) * o.w + q) * s.c;
        for (std::int64_t r = 0; r < a.window; ++r)
          for (std::int64_t t = 0; t < a.window; ++t) {
            const std::int64_t h = p * a.stride - a.pad_top + r, w = q * a.stride - a.pad_left + t;
            if (h < 0 || h >= end || w < 0 || w >= s.w) continue;
            const bool is_ours = h >= begin;  // else only to know whether the maximum was there
            float* to = sum.data() + (is_ours ? (h - begin) * pitch + w * s.c : 0);
            route_one(x + (n * s.h + h) * pitch + w * s.c, y + out, dy + out, open.data(), is_ours, relu, to,
                      s.c);
          }
      }
    T* to = dx + (n * s.h + begin) * pitch;
    for (std::int64_t i = 0; i < (end - begin) * pitch; ++i) store_gradient(to[i], sum[i], accumulate);
  });
}

}  // namespace

void forward(ConstTensorView x, TensorView y, const Attributes& attributes) {
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (is_halving(attributes)) return halve(x.as<T>(), x.shape, y.as<T>(), y.shape);
    any_forward(x.as<T>(), x.shape, y.as<T>(), y.shape, attributes);
  });
}

void backward(ConstTensorView x, ConstTensorView y, ConstTensorView dy, TensorView dx, bool accumulate,
              const Attributes& attributes, bool relu) {
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (is_halving(attributes)) {
      const auto run = accumulate ? (relu ? halve_backward<true, true, T> : halve_backward<true, false, T>)
                                  : (relu ? halve_backward<false, true, T> : halve_backward<false, false, T>);
      return run(x.as<T>(), y.as<T>(), dy.as<T>(), x.shape, y.shape, dx.as<T>());
    }
    any_backward(x.as<T>(), y.as<T>(), dy.as<T>(), x.shape, y.shape, dx.as<T>(), accumulate, attributes,
                 relu);
  });
}

}  // namespace chiaro::max_pool::cpu
