// Forward and backward data: one kernel.
#include "kernels/conv2d/implicit_gemm_cuda.hpp"

#include "kernels/conv2d/implicit_gemm_cuda.cuh"

namespace chiaro::conv2d::cuda {

namespace {

// to[place,f] = act(bias[f] + sum over taps of picture * w[f,tap] (+ old)).
template <class From, class To>
struct Pixels {
  Window window;
  const From* pictures;
  const float* w;     // (filters, taps)
  const float* bias;  // nullptr: none
  To* to;             // (places, filters)
  int places, filters, taps;
  bool accumulate, relu;
  bool wide;  // `to` can be written in vectors of 4

  template <int V>
  __device__ void finish(int place, int filter, float (&sum)[V]) const {
    To* target = to + std::int64_t(place) * filters + filter;
    float old[V] = {};
    if (accumulate) load<V>(target, old);
    CHIARO_UNROLL
    for (int j = 0; j < V; ++j) {
      if (bias) sum[j] += bias[filter + j];
      if (accumulate) sum[j] += old[j];
      if (relu && sum[j] < 0) sum[j] = 0;
    }
    store<V>(target, sum);
  }
};

// Threads read V neighboring taps of a place or filter and put them one below the other into shared memory.
template <int V, class From, class To>
__global__ void __launch_bounds__(kThreads) pixels_kernel(const Pixels<From, To> op) {
  CHIARO_SHARED(float, rows, [kDepth][kStride]);
  CHIARO_SHARED(float, columns, [kDepth][kStride]);
  CHIARO_SHARED(int, corners, [kTile][3]);
  const int place0 = blockIdx.x * kTile, filter0 = blockIdx.y * kTile;
  if (threadIdx.x < kTile) {
    const Window::Corner corner = op.window.corner(place0 + int(threadIdx.x), op.places);
    int* to = corners[threadIdx.x];
    to[0] = corner.n, to[1] = corner.h, to[2] = corner.w;
  }
  __syncthreads();

  Sums sums;
  const int depth = int(threadIdx.x) * V % kDepth;
  for (int tap0 = 0; tap0 < op.taps; tap0 += kDepth) {
    const bool inside = tap0 + depth < op.taps;
    const Window::Tap tap = op.window.tap(tap0 + depth);
    for (int i = int(threadIdx.x) * V / kDepth; i < kTile; i += kThreads * V / kDepth) {
      float pixel[V] = {}, weight[V] = {};
      const From* from =
          inside ? op.window.find(op.pictures, {corners[i][0], corners[i][1], corners[i][2]}, tap) : nullptr;
      if (from) load<V>(from, pixel);
      if (inside && filter0 + i < op.filters)
        load<V>(op.w + std::int64_t(filter0 + i) * op.taps + tap0 + depth, weight);
      CHIARO_UNROLL
      for (int k = 0; k < V; ++k) rows[depth + k][i] = pixel[k], columns[depth + k][i] = weight[k];
    }
    __syncthreads();
    sums.add_product(rows, columns);
    __syncthreads();
  }

  const int filter = filter0 + Sums::column();
  CHIARO_UNROLL
  for (int i = 0; i < 8; ++i) {
    const int place = place0 + Sums::row() + i;
    if (place >= op.places) continue;
    if (op.wide) {
      if (filter < op.filters) op.finish(place, filter, sums.v[i]);
    } else {
      CHIARO_UNROLL
      for (int j = 0; j < 4; ++j) {
        float sum[1] = {sums.v[i][j]};
        if (filter + j < op.filters) op.finish(place, filter + j, sum);
      }
    }
  }
}

// Over (C,R,S,K).
struct TurnFilters {
  Picture<const float> w;
  Picture<float> turned;
  bool round;

  template <int V>
  __device__ void run(int c, int r, int s, int k) const {
    static_assert(V == 1);
    const float v = *w.at(k, w.h - 1 - r, w.w - 1 - s, c);
    *turned.at(c, r, s, k) = round ? to_float(from_float<bf16>(v)) : v;
  }
};

template <class From, class To>
void launch_pixels_kernel(const char* name, CudaStream stream, Pixels<From, To> op) {
  constexpr int kVector = kVectorOf<From>;
  const bool vectors = op.window.channels % kVector == 0 && all_aligned(op.pictures, op.w);
  op.wide = op.filters % 4 == 0 && is_aligned(op.to);
  launch(name, vectors ? pixels_kernel<kVector, From, To> : pixels_kernel<1, From, To>,
         dim3(blocks_for(op.places, kTile), blocks_for(op.filters, kTile)), dim3(kThreads), 0, stream, op);
}

}  // namespace

void turn_filters(CudaStream stream, const Problem& p, const float* w, float* turned) {
  const TurnFilters op{
      {w, int(p.r), int(p.s), int(p.x.c)}, {turned, int(p.r), int(p.s), int(p.k)}, p.dtype == DType::BF16};
  launch_pixels<1>("conv2d_turn_filters", stream, op, {p.x.c, p.r, p.s, p.k}, false);
}

void implicit_gemm_forward(CudaStream stream, const Problem& p, const void* x, const float* w,
                           const float* bias, void* y) {
  visit_dtypes(p.dtype, p.y_dtype, [&](auto from, auto to) {
    using From = decltype(from);
    using To = decltype(to);
    launch_pixels_kernel("conv2d_forward", stream,
                         Pixels<From, To>{.window = forward_window(p),
                                          .pictures = static_cast<const From*>(x),
                                          .w = w,
                                          .bias = bias,
                                          .to = static_cast<To*>(y),
                                          .places = int(p.y().n * p.y().pixels()),
                                          .filters = int(p.k),
                                          .taps = int(p.r * p.s * p.x.c),
                                          .accumulate = p.accumulate,
                                          .relu = p.relu});
  });
}

void implicit_gemm_backward_data(CudaStream stream, const Problem& p, const void* dy, const float* turned,
                                 void* dx, bool accumulate) {
  visit_dtypes(p.y_dtype, p.dtype, [&](auto from, auto to) {
    using From = decltype(from);
    using To = decltype(to);
    launch_pixels_kernel("conv2d_backward_data", stream,
                         Pixels<From, To>{.window = backward_window(p),
                                          .pictures = static_cast<const From*>(dy),
                                          .w = turned,
                                          .bias = nullptr,
                                          .to = static_cast<To*>(dx),
                                          .places = int(p.x.n * p.x.pixels()),
                                          .filters = int(p.x.c),
                                          .taps = int(p.r * p.s * p.k),
                                          .accumulate = accumulate,
                                          .relu = false});
  });
}

}  // namespace chiaro::conv2d::cuda
