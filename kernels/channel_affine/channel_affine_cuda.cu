#include "kernels/channel_affine/channel_affine_cuda.hpp"

#include "kernels/common/elementwise.cuh"

namespace chiaro::channel_affine::cuda {

namespace {

template <class TX, class TY>
struct Affine {
  const TX* x;
  const float *mean, *scale;  // mean may be null: zero
  TY* y;
  int channels;
  bool accumulate;

  template <int V>
  __device__ void run(std::int64_t i) const {
    float v[V];
    load<V>(x + i, v);
    int c = int(i % channels);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      v[k] = (v[k] - (mean ? mean[c] : 0.0f)) * scale[c];
      c = c + 1 < channels ? c + 1 : 0;
    }
    store_gradient<V>(y + i, v, accumulate);
  }
};

void run(const char* name, CudaStream stream, ConstTensorView x, const float* mean, const float* scale,
         TensorView y, bool accumulate) {
  visit_dtypes(x.dtype, y.dtype, [&](auto a, auto b) {
    using TX = decltype(a);
    using TY = decltype(b);
    const Affine<TX, TY> op{x.as<TX>(), mean, scale, y.as<TY>(), int(x.shape.c), accumulate};
    launch_elementwise<kVectorOf<TX, TY>>(name, stream, op, x.shape.count(), all_aligned(op.x, op.y));
  });
}

}  // namespace

void forward(CudaStream stream, ConstTensorView x, const float* mean, const float* scale, TensorView y) {
  run("channel_affine_forward", stream, x, mean, scale, y, false);
}

void backward(CudaStream stream, ConstTensorView dy, const float* scale, TensorView dx, bool accumulate) {
  run("channel_affine_backward", stream, dy, nullptr, scale, dx, accumulate);
}

}  // namespace chiaro::channel_affine::cuda
