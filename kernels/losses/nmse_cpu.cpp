// Relative errors: both sums of each picture over fixed blocks, then the gradient.
#include "kernels/base/blocks.hpp"
#include "kernels/losses/losses.hpp"

namespace chiaro::losses::cpu {

namespace {

struct Sums {
  double error = 0, wanted = 0;
};

std::int64_t picture_count(Shape s) {
  return s.h * s.w * s.c;
}
std::int64_t blocks_per_picture(Shape s) {
  return divide_up(picture_count(s), kElementBlock);
}

// Calls body(picture, task, first element, length) in parallel for every block of every picture.
template <class Body>
void for_each_block(Shape s, Body&& body) {
  const std::int64_t count = picture_count(s), blocks = blocks_per_picture(s);
  parallel_for(s.n * blocks, [&](std::int64_t task) {
    const std::int64_t n = task / blocks, offset = task % blocks * kElementBlock;
    body(n, task, n * count + offset, std::min(kElementBlock, count - offset));
  });
}

template <class A, class B>
Sums add_up(const A* a, const B* b, std::int64_t length) {
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
  for (std::int64_t i = 0; i < length; ++i)
    store_gradient(da[i], factor * (float(a[i]) - float(b[i])), accumulate);
}

}  // namespace

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
      for_each_block(a.shape, [&](std::int64_t, std::int64_t task, std::int64_t first, std::int64_t length) {
        partial[task] = add_up(pa + first, pb + first, length);
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
        for_each_block(a.shape, [&](std::int64_t n, std::int64_t, std::int64_t first, std::int64_t length) {
          scaled_difference(pa + first, pb + first, factors[n], pd + first, request.accumulates(), length);
        });
      });
    });
  });
}

}  // namespace chiaro::losses::cpu
