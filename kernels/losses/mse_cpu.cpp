// mse and nmse: squared differences over fixed blocks of each picture.
#include "kernels/base/blocks.hpp"
#include "kernels/losses/losses.hpp"

namespace chiaro::losses::cpu {

namespace {

std::int64_t picture_count(Shape s) {
  return s.count() / s.n;
}
std::int64_t blocks_per_picture(Shape s) {
  return divide_up(picture_count(s), kElementBlock);
}

// Calls body(task, a index, b index, length) in parallel for every block of every picture.
template <class Body>
void for_each_block(Shape a, Shape b, Body&& body) {
  const std::int64_t count = picture_count(a), blocks = blocks_per_picture(a);
  parallel_for(a.n * blocks, [&](std::int64_t task) {
    const std::int64_t n = task / blocks, offset = task % blocks * kElementBlock;
    body(task, n * count + offset, (b.n == 1 ? 0 : n * count) + offset,
         std::min(kElementBlock, count - offset));
  });
}

template <class A, class B>
double squared_distance(const A* a, const B* b, std::int64_t length) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < length; ++i) {
    const float d = float(a[i]) - float(b[i]);
    sum += double(d) * d;
  }
  return sum;
}

struct Sums {
  double error = 0, wanted = 0;
};

template <class A, class B>
Sums error_and_wanted(const A* a, const B* b, std::int64_t length) {
  double error = 0, wanted = 0;
#pragma omp simd reduction(+ : error, wanted)
  for (std::int64_t i = 0; i < length; ++i) {
    const float d = float(a[i]) - float(b[i]);
    error += double(d) * d;
    wanted += double(float(b[i])) * float(b[i]);
  }
  return {error, wanted};
}

template <class A, class B, class D>
void scaled_difference(const A* a, const B* b, float factor, D* da, bool accumulate, std::int64_t length) {
#pragma omp simd
  for (std::int64_t i = 0; i < length; ++i) {
    const float gradient = factor * (float(a[i]) - float(b[i]));
    store_gradient(da[i], gradient, accumulate);
  }
}

}  // namespace

std::int64_t mse_workspace_bytes(Shape a) {
  return a.n * blocks_per_picture(a) * static_cast<std::int64_t>(sizeof(double));
}

// Goes through the blocks once. A block comes from the cache when its gradient follows its sum.
void mse(ConstTensorView a, ConstTensorView b, const Request& request) {
  double* partial = static_cast<double*>(request.workspace);  // (N, blocks)
  const float factor = static_cast<float>(2 * request.gradient_scale);
  visit_dtype(a.dtype, [&](auto za) {
    visit_dtype(b.dtype, [&](auto zb) {
      visit_dtype(request.gradient_dtype(), [&](auto zd) {
        const auto* pa = a.as<decltype(za)>();
        const auto* pb = b.as<decltype(zb)>();
        auto* pd = request.gradient_as<decltype(zd)>();
        for_each_block(
            a.shape, b.shape, [&](std::int64_t task, std::int64_t ia, std::int64_t ib, std::int64_t length) {
              if (request.value) partial[task] = squared_distance(pa + ia, pb + ib, length);
              if (pd) scaled_difference(pa + ia, pb + ib, factor, pd + ia, request.accumulates(), length);
            });
      });
    });
  });
  if (!request.value) return;
  double sum = 0;
  for (std::int64_t task = 0; task < a.shape.n * blocks_per_picture(a.shape); ++task) sum += partial[task];
  *request.value = static_cast<float>(request.scale * sum);
}

// The blocks' sums, then one factor a picture.
std::int64_t nmse_workspace_bytes(Shape a) {
  return a.n * (blocks_per_picture(a) * std::int64_t(sizeof(Sums)) + std::int64_t(sizeof(double)));
}

void nmse(ConstTensorView a, ConstTensorView b, const Request& request) {
  const std::int64_t blocks = blocks_per_picture(a.shape);
  Sums* partial = static_cast<Sums*>(request.workspace);                    // (N, blocks)
  float* factors = reinterpret_cast<float*>(partial + a.shape.n * blocks);  // (N), of the gradient
  visit_dtype(a.dtype, [&](auto za) {
    visit_dtype(b.dtype, [&](auto zb) {
      const auto* pa = a.as<decltype(za)>();
      const auto* pb = b.as<decltype(zb)>();
      for_each_block(a.shape, a.shape,
                     [&](std::int64_t task, std::int64_t first, std::int64_t, std::int64_t length) {
                       partial[task] = error_and_wanted(pa + first, pb + first, length);
                     });
      double total = 0;
      for (std::int64_t n = 0; n < a.shape.n; ++n) {
        Sums picture;
        for (std::int64_t block = 0; block < blocks; ++block) {
          picture.error += partial[n * blocks + block].error;
          picture.wanted += partial[n * blocks + block].wanted;
        }
        if (picture.wanted != 0) total += picture.error / picture.wanted;
        const float inverse = picture.wanted != 0 ? float(1 / picture.wanted) : 0.0f;
        factors[n] = float(2 * request.gradient_scale * double(inverse));
      }
      if (request.value) *request.value = static_cast<float>(request.scale * total);
      if (!request.wants_gradient()) return;
      visit_dtype(request.gradient.dtype, [&](auto zd) {
        auto* pd = request.gradient.as<decltype(zd)>();
        for_each_block(a.shape, a.shape,
                       [&](std::int64_t task, std::int64_t first, std::int64_t, std::int64_t length) {
                         scaled_difference(pa + first, pb + first, factors[task / blocks], pd + first,
                                           request.accumulates(), length);
                       });
      });
    });
  });
}

}  // namespace chiaro::losses::cpu
