// Squared differences over fixed blocks of each picture.
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

template <class A, class B, class D>
void scaled_difference(const A* a, const B* b, float factor, D* da, bool accumulate, std::int64_t length) {
#pragma omp simd
  for (std::int64_t i = 0; i < length; ++i) {
    const float gradient = factor * (float(a[i]) - float(b[i]));
    store_gradient(da[i], gradient, accumulate);
  }
}

// Goes through the blocks once: their squared differences if value is given, their gradients if da is. A
// block comes from the cache when its gradient follows its sum.
void mse(ConstTensorView a, ConstTensorView b, double scale, double weight, float* value, void* workspace,
         TensorView da, bool accumulate) {
  double* partial = static_cast<double*>(workspace);  // (N, blocks)
  const float factor = static_cast<float>(2 * (weight * scale));
  visit_dtype(a.dtype, [&](auto za) {
    visit_dtype(b.dtype, [&](auto zb) {
      visit_dtype(da ? da.dtype : a.dtype, [&](auto zd) {
        const auto* pa = a.as<decltype(za)>();
        const auto* pb = b.as<decltype(zb)>();
        auto* pd = da ? da.as<decltype(zd)>() : nullptr;
        for_each_block(a.shape, b.shape,
                       [&](std::int64_t task, std::int64_t ia, std::int64_t ib, std::int64_t length) {
                         if (value) partial[task] = squared_distance(pa + ia, pb + ib, length);
                         if (pd) scaled_difference(pa + ia, pb + ib, factor, pd + ia, accumulate, length);
                       });
      });
    });
  });
  if (!value) return;
  double sum = 0;
  for (std::int64_t task = 0; task < a.shape.n * blocks_per_picture(a.shape); ++task) sum += partial[task];
  *value = static_cast<float>(scale * sum);
}

}  // namespace

std::int64_t mse_workspace_bytes(Shape a) {
  return a.n * blocks_per_picture(a) * static_cast<std::int64_t>(sizeof(double));
}

void mse_forward(ConstTensorView a, ConstTensorView b, double scale, float* value, void* workspace) {
  mse(a, b, scale, 1, value, workspace, {}, false);
}

void mse_backward(ConstTensorView a, ConstTensorView b, double scale, TensorView da, bool accumulate) {
  mse(a, b, 1, scale, nullptr, nullptr, da, accumulate);
}

void mse_forward_backward(ConstTensorView a, ConstTensorView b, double scale, double weight, float* value,
                          void* workspace, TensorView da, bool accumulate) {
  mse(a, b, scale, weight, value, workspace, da, accumulate);
}

}  // namespace chiaro::losses::cpu
