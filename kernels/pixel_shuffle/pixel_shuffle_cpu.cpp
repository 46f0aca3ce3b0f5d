#include "kernels/base/parallel.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/pixel_shuffle/pixel_shuffle.hpp"

namespace chiaro::pixel_shuffle::cpu {

namespace {

// First element of window row (n, i).
template <class T, class View>
auto* row_of(const Window<View>& w, std::int64_t n, std::int64_t i) {
  const Shape& s = w.t.shape;
  return w.t.template as<T>() + ((n * s.h + i + w.row0) * s.w + w.col0) * s.c + w.channel0;
}

template <bool kAdd, bool kRelu, class T>
void forward_pixel(const T* source, const T* add, T* y, std::int64_t c) {
#pragma omp simd
  for (std::int64_t k = 0; k < c; ++k) {
    float value = source[k];
    if constexpr (kAdd) value += float(add[k]);
    if constexpr (kRelu) value = value < 0.0f ? 0.0f : value;
    store(y[k], value);
  }
}

template <bool kAdd, bool kRelu, class T>
void forward_typed(const ForwardArgs& args) {
  const Shape& s = args.y.shape;
  const std::int64_t c = s.c;
  T* y = args.y.as<T>();
  const T* add = kAdd ? args.add.as<T>() : nullptr;
  parallel_for(s.n * s.h, [&](std::int64_t task) {
    const std::int64_t n = task / s.h, i = task % s.h / 2, a = task % s.h % 2;
    const Source &even = args.sources[2 * a], &odd = args.sources[2 * a + 1];
    const T *even_row = row_of<T>(even, n, i), *odd_row = row_of<T>(odd, n, i);
    const std::int64_t row = task * s.w * c;
    for (std::int64_t j = 0; j < s.w / 2; ++j) {
      const std::int64_t p = row + 2 * j * c, q = p + c;
      forward_pixel<kAdd, kRelu>(even_row + j * even.t.shape.c, kAdd ? add + p : nullptr, y + p, c);
      forward_pixel<kAdd, kRelu>(odd_row + j * odd.t.shape.c, kAdd ? add + q : nullptr, y + q, c);
    }
  });
}

// dy of one pixel to its phase, masked where there is y, and to the gradient of what was added.
template <class T>
void backward_pixel(const T* dy, const T* y, T* target, T* dadd, bool accumulate, std::int64_t c) {
  if (!y) {
    copy_run(dy, target, c);
  } else {
#pragma omp simd
    for (std::int64_t k = 0; k < c; ++k) {
      const float incoming = dy[k];
      store(target[k], float(y[k]) > 0.0f ? incoming : 0.0f);
    }
  }
  if (!dadd) return;
  if (accumulate)
    add_run(target, dadd, c);
  else
    copy_run(target, dadd, c);
}

template <class T>
void backward_typed(const BackwardArgs& args) {
  const Shape& s = args.dy.shape;
  const std::int64_t c = s.c;
  const T* dy = args.dy.as<T>();
  const T* y = args.y ? args.y.as<T>() : nullptr;
  T* dadd = args.dadd_mode == GradientMode::Ignore ? nullptr : args.dadd.as<T>();
  const bool accumulate = args.dadd_mode == GradientMode::Accumulate;
  parallel_for(s.n * s.h, [&](std::int64_t task) {
    const std::int64_t n = task / s.h, i = task % s.h / 2, a = task % s.h % 2;
    for (std::int64_t b = 0; b < 2; ++b) {
      const Target& phase = args.targets[2 * a + b];
      T* row = row_of<T>(phase, n, i);
      for (std::int64_t j = 0; j < s.w / 2; ++j) {
        const std::int64_t p = (task * s.w + 2 * j + b) * c;
        backward_pixel(dy + p, y ? y + p : nullptr, row + j * phase.t.shape.c, dadd ? dadd + p : nullptr,
                       accumulate, c);
      }
    }
  });
}

// Zeroes every tensor of the targets once.
template <class T>
void zero_targets(const std::array<Target, 4>& targets) {
  for (int k = 0; k < 4; ++k) {
    const TensorView& t = targets[k].t;
    bool done = false;
    for (int earlier = 0; earlier < k; ++earlier) done = done || targets[earlier].t.data == t.data;
    if (done) continue;
    const std::int64_t rows = t.shape.n * t.shape.h, row_size = t.shape.w * t.shape.c;
    parallel_for(rows, [&](std::int64_t row) { zero_run(t.as<T>() + row * row_size, row_size); });
  }
}

}  // namespace

void forward(const ForwardArgs& args) {
  visit_dtype(args.y.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (args.add) {
      args.relu ? forward_typed<true, true, T>(args) : forward_typed<true, false, T>(args);
    } else {
      args.relu ? forward_typed<false, true, T>(args) : forward_typed<false, false, T>(args);
    }
  });
}

void backward(const BackwardArgs& args) {
  visit_dtype(args.dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (args.zero_rest) zero_targets<T>(args.targets);
    backward_typed<T>(args);
  });
}

}  // namespace chiaro::pixel_shuffle::cpu
