#include "kernels/relu/relu_cuda.hpp"

#include "kernels/common/elementwise.cuh"

namespace chiaro::relu::cuda {

namespace {

template <class T>
struct Forward {
  const T* x;
  T* y;

  template <int V>
  __device__ void run(std::int64_t i) const {
    float v[V];
    load<V>(x + i, v);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) v[k] = v[k] < 0 ? 0.0f : v[k];  // keeps NaN
    store<V>(y + i, v);
  }
};

template <class T>
struct Backward {
  const T *y, *dy;
  T* dx;
  bool accumulate;

  template <int V>
  __device__ void run(std::int64_t i) const {
    float value[V], g[V];
    load<V>(y + i, value);
    load<V>(dy + i, g);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) g[k] = value[k] > 0 ? g[k] : 0.0f;
    store_gradient<V>(dx + i, g, accumulate);
  }
};

}  // namespace

void forward(CudaStream stream, ConstTensorView x, TensorView y) {
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Forward<T> op{x.as<T>(), y.as<T>()};
    launch_elementwise<kVectorOf<T>>("relu_forward", stream, op, x.shape.count(), all_aligned(op.x, op.y));
  });
}

void backward(CudaStream stream, ConstTensorView y, ConstTensorView dy, TensorView dx, bool accumulate) {
  visit_dtype(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Backward<T> op{y.as<T>(), dy.as<T>(), dx.as<T>(), accumulate};
    launch_elementwise<kVectorOf<T>>("relu_backward", stream, op, y.shape.count(),
                                     all_aligned(op.y, op.dy, op.dx));
  });
}

}  // namespace chiaro::relu::cuda
