#include "kernels/pool/max_pool_cuda.hpp"

#include "kernels/cuda/elementwise.cuh"

namespace chiaro::max_pool::cuda {

namespace {

struct Window {
  int size, stride, top, left;
};

Window window_of(const Attributes& a) {
  return {int(a.window), int(a.stride), int(a.pad_top), int(a.pad_left)};
}

// Over the pixels of y.
template <class T>
struct Forward {
  Picture<const T> x;
  Picture<T> y;
  Window window;

  template <int V>
  __device__ void run(int n, int p, int q, int c) const {
    float best[V];
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) best[k] = __uint_as_float(0xff800000u);  // -infinity
    for (int r = 0; r < window.size; ++r)
      for (int s = 0; s < window.size; ++s) {
        const int h = p * window.stride - window.top + r, w = q * window.stride - window.left + s;
        if (h < 0 || h >= x.h || w < 0 || w >= x.w) continue;
        float v[V];
        load<V>(x.at(n, h, w, c), v);
        CHIARO_UNROLL
        for (int k = 0; k < V; ++k)
          if (v[k] > best[k] || v[k] != v[k]) best[k] = v[k];  // NaN beats everything, and nothing beats NaN
      }
    store<V>(y.at(n, p, q, c), best);
  }
};

// Over the pixels of dx. An element takes the gradient of a window when it equals the maximum and no earlier
// element of the window does. A ReLU's mask closes windows whose maximum is not positive.
template <class T, bool kRelu>
struct Backward {
  Picture<const T> x, y, dy;
  Picture<T> dx;
  Window window;
  bool accumulate;

  static __device__ bool same(float a, float b) { return a == b || (a != a && b != b); }

  // Takes those elements off `wins` that have an equal earlier in window (p,q), of which this is (h,w).
  template <int V>
  __device__ void drop_later(int n, int p, int q, int h, int w, int c, const float (&best)[V],
                             bool (&wins)[V]) const {
    for (int r = 0; r < window.size; ++r)
      for (int s = 0; s < window.size; ++s) {
        const int i = p * window.stride - window.top + r, j = q * window.stride - window.left + s;
        if (i > h || (i == h && j >= w)) return;
        if (i < 0 || j < 0 || j >= x.w) continue;
        float v[V];
        load<V>(x.at(n, i, j, c), v);
        CHIARO_UNROLL
        for (int k = 0; k < V; ++k) wins[k] = wins[k] && !same(v[k], best[k]);
      }
  }

  template <int V>
  __device__ void run(int n, int h, int w, int c) const {
    float self[V], sum[V] = {};
    load<V>(x.at(n, h, w, c), self);
    const int row = h + window.top, column = w + window.left;
    const int first_p = row < window.size ? 0 : (row - window.size) / window.stride + 1;
    const int first_q = column < window.size ? 0 : (column - window.size) / window.stride + 1;
    for (int p = first_p; p < y.h && p * window.stride <= row; ++p)
      for (int q = first_q; q < y.w && q * window.stride <= column; ++q) {
        float best[V], g[V];
        bool wins[V], any = false;
        load<V>(y.at(n, p, q, c), best);
        CHIARO_UNROLL
        for (int k = 0; k < V; ++k)
          any |= wins[k] = kRelu ? self[k] == best[k] && best[k] > 0 : same(self[k], best[k]);
        if (!any) continue;
        drop_later<V>(n, p, q, h, w, c, best, wins);
        load<V>(dy.at(n, p, q, c), g);
        CHIARO_UNROLL
        for (int k = 0; k < V; ++k) sum[k] += wins[k] ? g[k] : 0.0f;
      }
    store_gradient<V>(dx.at(n, h, w, c), sum, accumulate);
  }
};

}  // namespace

void forward(CudaStream stream, ConstTensorView x, TensorView y, const Attributes& attributes) {
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Forward<T> op{picture_of<T>(x), picture_of<T>(y), window_of(attributes)};
    launch_pixels<kVectorOf<T>>("max_pool_forward", stream, op, y.shape, all_aligned(op.x.data, op.y.data));
  });
}

void backward(CudaStream stream, ConstTensorView x, ConstTensorView y, ConstTensorView dy, TensorView dx,
              bool accumulate, const Attributes& attributes, bool relu) {
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto start = [&](const auto& op) {
      launch_pixels<kVectorOf<T>>("max_pool_backward", stream, op, x.shape,
                                  all_aligned(op.x.data, op.y.data, op.dy.data, op.dx.data));
    };
    const auto window = window_of(attributes);
    if (relu)
      start(Backward<T, true>{picture_of<T>(x), picture_of<T>(y), picture_of<T>(dy), picture_of<T>(dx),
                              window, accumulate});
    else
      start(Backward<T, false>{picture_of<T>(x), picture_of<T>(y), picture_of<T>(dy), picture_of<T>(dx),
                               window, accumulate});
  });
}

}  // namespace chiaro::max_pool::cuda
