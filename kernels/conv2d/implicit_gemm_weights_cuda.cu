// Backward weights.
#include <algorithm>

#include "kernels/conv2d/implicit_gemm_cuda.cuh"
#include "kernels/conv2d/implicit_gemm_cuda.hpp"
#include "kernels/conv2d/sums_cuda.hpp"

namespace chiaro::conv2d::cuda {

namespace {

// Of split z: to[z,f,tap] = sum over its places of dy[place,f] * picture, or added to.
template <class X, class Y>
struct Weights {
  Window window;
  const X* pictures;
  const Y* dy;  // (places, filters)
  float* to;    // (splits, filters, taps)
  int places, split_places, filters, taps;
  bool accumulate;
};

template <int V, class X, class Y>
__global__ void __launch_bounds__(kThreads) weights_kernel(const Weights<X, Y> op) {
  CHIARO_SHARED(float, rows, [kDepth][kStride]);
  CHIARO_SHARED(float, columns, [kDepth][kStride]);
  const int tap0 = blockIdx.x * kTile, filter0 = blockIdx.y * kTile;
  const int begin = blockIdx.z * op.split_places;
  const int end = begin + op.split_places < op.places ? begin + op.split_places : op.places;

  Sums sums;
  const int lane = int(threadIdx.x) * V % kTile;  // of the tap and of the filter that this thread reads
  const Window::Tap tap = op.window.tap(tap0 + lane);
  for (int place0 = begin; place0 < end; place0 += kDepth) {
    for (int k = int(threadIdx.x) * V / kTile; k < kDepth; k += kThreads * V / kTile) {
      float gradient[V] = {}, pixel[V] = {};
      const int place = place0 + k;
      if (place < end && filter0 + lane < op.filters)
        load<V>(op.dy + std::int64_t(place) * op.filters + filter0 + lane, gradient);
      const X* from =
          tap0 + lane < op.taps ? op.window.find(op.pictures, op.window.corner(place, end), tap) : nullptr;
      if (from) load<V>(from, pixel);
      store<V>(&rows[k][lane], gradient);
      store<V>(&columns[k][lane], pixel);
    }
    __syncthreads();
    sums.add_product(rows, columns);
    __syncthreads();
  }

  const int column = tap0 + Sums::column();
  CHIARO_UNROLL
  for (int i = 0; i < 8; ++i) {
    const int filter = filter0 + Sums::row() + i;
    if (filter >= op.filters) continue;
    float* to = op.to + (std::int64_t(blockIdx.z) * op.filters + filter) * op.taps + column;
    if constexpr (V > 1) {
      if (column < op.taps) store_gradient<4>(to, sums.v[i], op.accumulate);
    } else {
      CHIARO_UNROLL
      for (int j = 0; j < 4; ++j) {
        float sum[1] = {sums.v[i][j]};
        if (column + j < op.taps) store_gradient<1>(to + j, sum, op.accumulate);
      }
    }
  }
}

// Enough splits to fill a large GPU twice, none of them so small that adding them up costs as much.
struct Splits {
  std::int64_t count, places;
};
Splits splits_of(const Problem& p) {
  constexpr std::int64_t kBlocks = 264, kMinPlaces = 256;
  const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t places = p.y().n * p.y().pixels();
  const std::int64_t tiles = up(p.k, kTile) * up(p.r * p.s * p.x.c, kTile);
  const std::int64_t wanted = std::clamp<std::int64_t>(kBlocks / tiles, 1, up(places, kMinPlaces));
  const std::int64_t split = up(up(places, wanted), kDepth) * kDepth;
  return {up(places, split), split};
}

}  // namespace

std::int64_t backward_weights_workspace_bytes(const Problem& p) {
  const Splits splits = splits_of(p);
  return splits.count == 1 ? 0 : splits.count * p.weight_count() * std::int64_t(sizeof(float));
}

void implicit_gemm_backward_weights(CudaStream stream, const Problem& p, const void* x, const void* dy,
                                    float* dw, bool accumulate, void* workspace) {
  const Splits splits = splits_of(p);
  const bool direct = splits.count == 1;
  float* to = direct ? dw : static_cast<float*>(workspace);
  visit_dtypes(p.dtype, p.y_dtype, [&](auto x_zero, auto y_zero) {
    using X = decltype(x_zero);
    using Y = decltype(y_zero);
    constexpr int kVector = kVectorOf<X, Y>;
    const Weights<X, Y> op{.window = forward_window(p),
                           .pictures = static_cast<const X*>(x),
                           .dy = static_cast<const Y*>(dy),
                           .to = to,
                           .places = int(p.y().n * p.y().pixels()),
                           .split_places = int(splits.places),
                           .filters = int(p.k),
                           .taps = int(p.r * p.s * p.x.c),
                           .accumulate = direct && accumulate};
    const bool vectors = p.x.c % kVector == 0 && p.k % kVector == 0 && all_aligned(op.pictures, op.dy, to);
    launch("conv2d_backward_weights", vectors ? weights_kernel<kVector, X, Y> : weights_kernel<1, X, Y>,
           dim3(blocks_for(op.taps, kTile), blocks_for(op.filters, kTile), unsigned(splits.count)),
           dim3(kThreads), 0, stream, op);
  });
  if (!direct) sum_partials(stream, to, splits.count, p.weight_count(), dw, accumulate);
}

}  // namespace chiaro::conv2d::cuda
