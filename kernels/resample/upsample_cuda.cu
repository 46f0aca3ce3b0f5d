#include "kernels/resample/upsample_cuda.hpp"

#include "kernels/cuda/elementwise.cuh"

namespace chiaro::upsample::cuda {

namespace {

template <int V>
__device__ void add(const float* from, float (&sum)[V]) {
  float v[V];
  load<V>(from, v);
  CHIARO_UNROLL
  for (int k = 0; k < V; ++k) sum[k] += v[k];
}

// Over the pixels of x.
template <class T>
struct Forward {
  Picture<const T> x;
  Picture<T> y;

  template <int V>
  __device__ void run(int n, int i, int j, int c) const {
    float v[V];
    load<V>(x.at(n, i, j, c), v);
    CHIARO_UNROLL
    for (int ab = 0; ab < 4; ++ab) store<V>(y.at(n, 2 * i + ab / 2, 2 * j + ab % 2, c), v);
  }
};

// Over the pixels of dx.
template <class T>
struct Backward {
  Picture<const T> dy;
  Picture<T> dx;
  bool accumulate;

  template <int V>
  __device__ void run(int n, int i, int j, int c) const {
    float sum[V] = {};
    CHIARO_UNROLL
    for (int ab = 0; ab < 4; ++ab) {
      float v[V];
      load<V>(dy.at(n, 2 * i + ab / 2, 2 * j + ab % 2, c), v);
      CHIARO_UNROLL
      for (int k = 0; k < V; ++k) sum[k] += v[k];
    }
    store_gradient<V>(dx.at(n, i, j, c), sum, accumulate);
  }
};

// Filters are pictures here: w (K,3,3,C), w4 (4K,2,2,C). Tap r of phase a falls on low-resolution row
// (r + 1 - a) / 2.
struct FoldWeights {
  Picture<const float> w;
  Picture<float> w4;
  int filters;

  template <int V>
  __device__ void run(int k4, int u, int v, int c) const {
    const int a = k4 / filters / 2, b = k4 / filters % 2, k = k4 % filters;
    float sum[V] = {};
    for (int r = 0; r < 3; ++r)
      for (int s = 0; s < 3; ++s)
        if ((r + 1 - a) / 2 == u && (s + 1 - b) / 2 == v) add<V>(w.at(k, r, s, c), sum);
    store<V>(w4.at(k4, u, v, c), sum);
  }
};

struct UnfoldGradient {
  Picture<const float> dw4;
  Picture<float> dw;
  int filters;
  bool accumulate;

  template <int V>
  __device__ void run(int k, int r, int s, int c) const {
    float sum[V] = {};
    for (int a = 0; a < 2; ++a)
      for (int b = 0; b < 2; ++b)
        add<V>(dw4.at((2 * a + b) * filters + k, (r + 1 - a) / 2, (s + 1 - b) / 2, c), sum);
    store_gradient<V>(dw.at(k, r, s, c), sum, accumulate);
  }
};

}  // namespace

void upsample_nearest_forward(CudaStream stream, ConstTensorView x, TensorView y) {
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Forward<T> op{picture_of<T>(x), picture_of<T>(y)};
    launch_pixels<kVectorOf<T>>("upsample_forward", stream, op, x.shape, all_aligned(op.x.data, op.y.data));
  });
}

void upsample_nearest_backward(CudaStream stream, ConstTensorView dy, TensorView dx, bool accumulate) {
  visit_dtype(dx.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Backward<T> op{picture_of<T>(dy), picture_of<T>(dx), accumulate};
    launch_pixels<kVectorOf<T>>("upsample_backward", stream, op, dx.shape,
                                all_aligned(op.dy.data, op.dx.data));
  });
}

void fold_weights(CudaStream stream, const float* w, std::int64_t k, std::int64_t c, float* w4) {
  const FoldWeights op{{w, 3, 3, int(c)}, {w4, 2, 2, int(c)}, int(k)};
  launch_pixels<4>("upsample_fold_weights", stream, op, {4 * k, 2, 2, c}, all_aligned(w, w4));
}

void unfold_gradient(CudaStream stream, const float* dw4, std::int64_t k, std::int64_t c, float* dw,
                     bool accumulate) {
  const UnfoldGradient op{{dw4, 2, 2, int(c)}, {dw, 3, 3, int(c)}, int(k), accumulate};
  launch_pixels<4>("upsample_unfold_gradient", stream, op, {k, 3, 3, c}, all_aligned(dw4, dw));
}

}  // namespace chiaro::upsample::cuda
