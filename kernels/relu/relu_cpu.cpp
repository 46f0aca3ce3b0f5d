#include "kernels/common/parallel.hpp"
#include "kernels/common/rows.hpp"
#include "kernels/relu/relu.hpp"

namespace chiaro::relu::cpu {

namespace {

constexpr std::int64_t kBlock = 16384;  // elements of one parallel task

template <class Body>
void for_each_block(std::int64_t count, Body&& body) {
  parallel_for((count + kBlock - 1) / kBlock,
               [&](std::int64_t b) { body(b * kBlock, std::min(count, (b + 1) * kBlock)); });
}

template <class T>
void forward_typed(const T* x, T* y, std::int64_t count) {
  for_each_block(count, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) {
      const float v = x[i];
      store(y[i], v < 0.0f ? 0.0f : v);
    }
  });
}

template <bool kAccumulate, class T>
void backward_typed(const T* y, const T* dy, T* dx, std::int64_t count) {
  for_each_block(count, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) {
      const float incoming = dy[i], gradient = float(y[i]) > 0.0f ? incoming : 0.0f;
      store(dx[i], kAccumulate ? float(dx[i]) + gradient : gradient);
    }
  });
}

}  // namespace

void forward(ConstTensorView x, TensorView y) {
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    forward_typed(x.as<T>(), y.as<T>(), x.shape.count());
  });
}

void backward(ConstTensorView y, ConstTensorView dy, TensorView dx, bool accumulate) {
  visit_dtype(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (accumulate) {
      backward_typed<true>(y.as<T>(), dy.as<T>(), dx.as<T>(), y.shape.count());
    } else {
      backward_typed<false>(y.as<T>(), dy.as<T>(), dx.as<T>(), y.shape.count());
    }
  });
}

}  // namespace chiaro::relu::cpu
