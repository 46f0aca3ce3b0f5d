#include "kernels/base/parallel.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/resample/upsample.hpp"

namespace chiaro::upsample::cpu {

namespace {

template <class T>
void forward_typed(const T* x, T* y, const Shape& s) {
  const std::int64_t c = s.c, row_size = s.w * c;
  parallel_for(s.n * s.h, [=](std::int64_t row) {
    const T* source = x + row * row_size;
    T* target = y + row * 4 * row_size;  // two rows of twice the width
    for (std::int64_t j = 0; j < s.w; ++j) {
      copy_run(source + j * c, target + 2 * j * c, c);
      copy_run(source + j * c, target + (2 * j + 1) * c, c);
    }
    copy_run(target, target + 2 * row_size, 2 * row_size);
  });
}

template <bool kAccumulate, class T>
void backward_typed(const T* dy, T* dx, const Shape& s) {
  const std::int64_t c = s.c, row_size = s.w * c;
  parallel_for(s.n * s.h, [=](std::int64_t row) {
    for (std::int64_t j = 0; j < s.w; ++j) {
      const T* upper = dy + row * 4 * row_size + 2 * j * c;
      const T* lower = upper + 2 * row_size;
      T* target = dx + row * row_size + j * c;
#pragma omp simd
      for (std::int64_t k = 0; k < c; ++k) {
        const float sum = (float(upper[k]) + float(upper[c + k])) + (float(lower[k]) + float(lower[c + k]));
        store(target[k], kAccumulate ? float(target[k]) + sum : sum);
      }
    }
  });
}

// Row u of the 2x2 filter of parity a on which row r of the 3x3 filter falls; the same for columns.
constexpr std::int64_t folded_tap(std::int64_t a, std::int64_t r) {
  return (r + 1 - a) / 2;
}

// Calls f(offset in w, offset in w4) for every pair of channel runs that belong together.
template <class F>
void for_each_tap(std::int64_t kernel, std::int64_t num_kernels, std::int64_t c, F&& f) {
  for (std::int64_t r = 0; r < 3; ++r)
    for (std::int64_t s = 0; s < 3; ++s)
      for (std::int64_t a = 0; a < 2; ++a)
        for (std::int64_t b = 0; b < 2; ++b) {
          const std::int64_t folded = (2 * a + b) * num_kernels + kernel;
          f(((kernel * 3 + r) * 3 + s) * c, ((folded * 2 + folded_tap(a, r)) * 2 + folded_tap(b, s)) * c);
        }
}

}  // namespace

void upsample_nearest_forward(ConstTensorView x, TensorView y) {
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    forward_typed(x.as<T>(), y.as<T>(), x.shape);
  });
}

void upsample_nearest_backward(ConstTensorView dy, TensorView dx, bool accumulate) {
  visit_dtype(dx.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (accumulate) {
      backward_typed<true>(dy.as<T>(), dx.as<T>(), dx.shape);
    } else {
      backward_typed<false>(dy.as<T>(), dx.as<T>(), dx.shape);
    }
  });
}

void fold_weights(const float* w, std::int64_t k, std::int64_t c, float* w4) {
  zero_run(w4, 4 * k * 4 * c);
  parallel_for(k, [=](std::int64_t kernel) {
    for_each_tap(kernel, k, c, [=](std::int64_t from, std::int64_t to) { add_run(w + from, w4 + to, c); });
  });
}

void unfold_gradient(const float* dw4, std::int64_t k, std::int64_t c, float* dw, bool accumulate) {
  if (!accumulate) zero_run(dw, k * 9 * c);
  parallel_for(k, [=](std::int64_t kernel) {
    for_each_tap(kernel, k, c, [=](std::int64_t to, std::int64_t from) { add_run(dw4 + from, dw + to, c); });
  });
}

}  // namespace chiaro::upsample::cpu
