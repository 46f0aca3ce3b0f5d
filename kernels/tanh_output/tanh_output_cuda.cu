#include "kernels/tanh_output/tanh_output_cuda.hpp"

#include "kernels/common/elementwise.cuh"

namespace chiaro::tanh_output::cuda {

namespace {

template <class TX, class TY>
struct Forward {
  const TX* x;
  TY* y;

  template <int V>
  __device__ void run(std::int64_t i) const {
    float v[V];
    load<V>(x + i, v);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) v[k] = fmaf(kAmplitude, tanhf(v[k]), kCenter);
    store<V>(y + i, v);
  }
};

template <class TY, class TG, class TX>
struct Backward {
  const TY* y;
  const TG* dy;
  TX* dx;
  bool accumulate;

  template <int V>
  __device__ void run(std::int64_t i) const {
    float value[V], g[V];
    load<V>(y + i, value);
    load<V>(dy + i, g);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      const float t = (value[k] - kCenter) * (1 / kAmplitude);
      g[k] *= kAmplitude * (1 - t * t);
    }
    store_gradient<V>(dx + i, g, accumulate);
  }
};

}  // namespace

void forward(CudaStream stream, ConstTensorView x, TensorView y) {
  visit_dtypes(x.dtype, y.dtype, [&](auto a, auto b) {
    using TX = decltype(a);
    using TY = decltype(b);
    const Forward<TX, TY> op{x.as<TX>(), y.as<TY>()};
    launch_elementwise<kVectorOf<TX, TY>>("tanh_output_forward", stream, op, x.shape.count(),
                                          all_aligned(op.x, op.y));
  });
}

void backward(CudaStream stream, ConstTensorView y, ConstTensorView dy, TensorView dx, bool accumulate) {
  visit_dtypes(y.dtype, dy.dtype, [&](auto a, auto b) {
    visit_dtype(dx.dtype, [&](auto c) {
      using TY = decltype(a);
      using TG = decltype(b);
      using TX = decltype(c);
      const Backward<TY, TG, TX> op{y.as<TY>(), dy.as<TG>(), dx.as<TX>(), accumulate};
      launch_elementwise<kVectorOf<TY, TG, TX>>("tanh_output_backward", stream, op, y.shape.count(),
                                                all_aligned(op.y, op.dy, op.dx));
    });
  });
}

}  // namespace chiaro::tanh_output::cuda
