#include "kernels/cuda/elementwise.cuh"
#include "kernels/elementwise/map.hpp"

namespace chiaro::elementwise::cuda {

namespace {

template <class Op, class X, class Y>
struct Map {
  Op op;
  const X* x;
  Y* y;
  bool accumulate;

  template <int V>
  __device__ void run(std::int64_t i) const {
    float v[V];
    load<V>(x + i, v);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) v[k] = op(v[k]);
    store_gradient<V>(y + i, v, accumulate);
  }
};

template <class Op, class A, class B, class Y>
struct MapTwo {
  Op op;
  const A* a;
  const B* b;
  Y* y;
  bool accumulate;

  template <int V>
  __device__ void run(std::int64_t i) const {
    float v[V], w[V];
    load<V>(a + i, v);
    load<V>(b + i, w);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) v[k] = op(v[k], w[k]);
    store_gradient<V>(y + i, v, accumulate);
  }
};

template <class Op, class X, class Y>
struct MapChannels {
  Op op;
  const X* x;
  const float *mean, *scale;
  Y* y;
  int channels;
  bool accumulate;

  template <int V>
  __device__ void run(std::int64_t i) const {
    float v[V];
    load<V>(x + i, v);
    int c = int(i % channels);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      v[k] = op(v[k], mean[c], scale[c]);
      c = c + 1 < channels ? c + 1 : 0;
    }
    store_gradient<V>(y + i, v, accumulate);
  }
};

// Calls f with a value of each tensor's element type.
template <class Op, class F>
void visit_types(DType a, DType b, F&& f) {
  if constexpr (Op::kOneType)
    visit_dtype(a, [&](auto zero) { f(zero, zero); });
  else
    visit_dtypes(a, b, f);
}

}  // namespace

template <class Op>
void map(const char* name, CudaStream stream, Op op, ConstTensorView x, TensorView y, bool accumulate) {
  visit_types<Op>(x.dtype, y.dtype, [&](auto zx, auto zy) {
    using X = decltype(zx);
    using Y = decltype(zy);
    const Map<Op, X, Y> all{op, x.as<X>(), y.as<Y>(), accumulate};
    launch_elementwise<kVectorOf<X, Y>>(name, stream, all, x.shape.count(), all_aligned(all.x, all.y));
  });
}

template <class Op>
void map(const char* name, CudaStream stream, Op op, ConstTensorView a, ConstTensorView b, TensorView y,
         bool accumulate) {
  visit_types<Op>(a.dtype, b.dtype, [&](auto za, auto zb) {
    using A = decltype(za);
    using B = decltype(zb);
    visit_types<Op>(dtype_of<B>, y.dtype, [&](auto, auto zy) {
      using Y = decltype(zy);
      const MapTwo<Op, A, B, Y> all{op, a.as<A>(), b.as<B>(), y.as<Y>(), accumulate};
      launch_elementwise<kVectorOf<A, B, Y>>(name, stream, all, a.shape.count(),
                                             all_aligned(all.a, all.b, all.y));
    });
  });
}

template <class Op>
void map_channels(const char* name, CudaStream stream, Op op, ConstTensorView x, const float* mean,
                  const float* scale, TensorView y, bool accumulate) {
  visit_dtypes(x.dtype, y.dtype, [&](auto zx, auto zy) {
    using X = decltype(zx);
    using Y = decltype(zy);
    const MapChannels<Op, X, Y> all{op, x.as<X>(), mean, scale, y.as<Y>(), int(x.shape.c), accumulate};
    launch_elementwise<kVectorOf<X, Y>>(name, stream, all, x.shape.count(), all_aligned(all.x, all.y));
  });
}

template void map(const char*, CudaStream, Copy, ConstTensorView, TensorView, bool);
template void map(const char*, CudaStream, RoundToBf16, ConstTensorView, TensorView, bool);
template void map(const char*, CudaStream, Relu, ConstTensorView, TensorView, bool);
template void map(const char*, CudaStream, ReluGradient, ConstTensorView, ConstTensorView, TensorView, bool);
template void map(const char*, CudaStream, TanhOutput, ConstTensorView, TensorView, bool);
template void map(const char*, CudaStream, TanhOutputGradient, ConstTensorView, ConstTensorView, TensorView,
                  bool);
template void map_channels(const char*, CudaStream, ChannelAffine, ConstTensorView, const float*,
                           const float*, TensorView, bool);
template void map_channels(const char*, CudaStream, ChannelAffineGradient, ConstTensorView, const float*,
                           const float*, TensorView, bool);

}  // namespace chiaro::elementwise::cuda
