#include "kernels/base/blocks.hpp"
#include "kernels/losses/nmse.hpp"

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

std::int64_t nmse_workspace_bytes(Shape a) {
  return a.n * blocks_per_picture(a) * std::int64_t(sizeof(Sums));
}

void nmse_forward(ConstTensorView a, ConstTensorView b, double scale, float* value, float* inverse,
                  void* workspace) {
  Sums* partial = static_cast<Sums*>(workspace);  // (N, blocks)
  visit_dtype(a.dtype, [&](auto za) {
    visit_dtype(b.dtype, [&](auto zb) {
      const auto* pa = a.as<decltype(za)>();
      const auto* pb = b.as<decltype(zb)>();
      for_each_block(a.shape, [&](std::int64_t, std::int64_t task, std::int64_t first, std::int64_t length) {
        partial[task] = add_up(pa + first, pb + first, length);
      });
    });
  });
  const std::int64_t blocks = blocks_per_picture(a.shape);
  double total = 0;
  for (std::int64_t n = 0; n < a.shape.n; ++n) {
    Sums picture;
    for (std::int64_t block = 0; block < blocks; ++block) {
      picture.error += partial[n * blocks + block].error;
      picture.wanted += partial[n * blocks + block].wanted;
    }
    if (picture.wanted != 0) total += picture.error / picture.wanted;
    inverse[n] = picture.wanted != 0 ? float(1 / picture.wanted) : 0.0f;
  }
  *value = static_cast<float>(scale * total);
}

void nmse_backward(ConstTensorView a, ConstTensorView b, const float* inverse, double scale, TensorView da,
                   bool accumulate) {
  visit_dtype(a.dtype, [&](auto za) {
    visit_dtype(b.dtype, [&](auto zb) {
      visit_dtype(da.dtype, [&](auto zd) {
        const auto* pa = a.as<decltype(za)>();
        const auto* pb = b.as<decltype(zb)>();
        auto* pd = da.as<decltype(zd)>();
        for_each_block(a.shape, [&](std::int64_t n, std::int64_t, std::int64_t first, std::int64_t length) {
          const float factor = static_cast<float>(2 * scale * double(inverse[n]));
          scaled_difference(pa + first, pb + first, factor, pd + first, accumulate, length);
        });
      });
    });
  });
}

}  // namespace chiaro::losses::cpu
