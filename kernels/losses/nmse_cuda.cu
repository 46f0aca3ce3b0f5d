#include <algorithm>

#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/grid_sum.cuh"
#include "kernels/losses/losses_cuda.hpp"

namespace chiaro::losses::cuda {

namespace {

struct Sums {
  double error, wanted;
};

std::int64_t picture_count(const Shape& s) {
  return s.h * s.w * s.c;
}

// Of one picture: as many as its elements keep busy, and all pictures together no more than the device.
int blocks_per_picture(const Shape& s) {
  const std::int64_t groups = (picture_count(s) + 8 * kSumThreads - 1) / (8 * kSumThreads);
  return static_cast<int>(std::clamp<std::int64_t>(groups, 1, std::max<std::int64_t>(1, kSumBlocks / s.n)));
}

// Block (x, n): every gridDim.x-th group of vectors of picture n, `count` elements of each. partial: (N,
// gridDim.x).
template <int V, class A, class B>
__global__ void __launch_bounds__(kSumThreads, 4)
    nmse_sums_kernel(const A* a, const B* b, std::int64_t count, Sums* partial) {
  const std::int64_t first = blockIdx.y * count, stride = std::int64_t(gridDim.x) * kSumThreads * V;
  double error = 0, wanted = 0;
  for (std::int64_t i = (std::int64_t(blockIdx.x) * kSumThreads + threadIdx.x) * V; i < count; i += stride) {
    float x[V], y[V], squares = 0, energy = 0;
    load<V>(a + first + i, x);
    load<V>(b + first + i, y);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      const float d = x[k] - y[k];
      squares = fmaf(d, d, squares);
      energy = fmaf(y[k], y[k], energy);
    }
    error += squares;
    wanted += energy;
  }
  error = block_sum<kSumThreads>(error);
  wanted = block_sum<kSumThreads>(wanted);
  if (threadIdx.x == 0) partial[blockIdx.y * gridDim.x + blockIdx.x] = {error, wanted};
}

// One block: the pictures one after the other. value may be null.
__global__ void __launch_bounds__(kSumThreads)
    nmse_finish_kernel(const Sums* partial, int pictures, int blocks, double scale, float* value,
                       float* inverse) {
  double total = 0;
  for (int n = 0; n < pictures; ++n) {
    double error = 0, wanted = 0;
    for (int b = threadIdx.x; b < blocks; b += kSumThreads) {
      error += partial[n * blocks + b].error;
      wanted += partial[n * blocks + b].wanted;
    }
    error = block_sum<kSumThreads>(error);
    wanted = block_sum<kSumThreads>(wanted);
    if (wanted != 0) total += error / wanted;
    if (threadIdx.x == 0) inverse[n] = wanted != 0 ? float(1 / wanted) : 0.0f;
  }
  if (threadIdx.x == 0 && value) *value = float(scale * total);
}

template <class A, class B, class D>
struct NmseGradient {
  const A* a;
  const B* b;
  const float* inverse;
  D* da;
  std::int64_t picture_count;
  double scale;
  bool accumulate;

  template <int V>
  __device__ void run(std::int64_t i) const {
    const float factor = float(2 * scale * double(inverse[i / picture_count]));
    float d[V], other[V];
    load<V>(a + i, d);
    load<V>(b + i, other);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) d[k] = factor * (d[k] - other[k]);
    store_gradient<V>(da + i, d, accumulate);
  }
};

}  // namespace

// The blocks' sums, then 1 / |b_n|^2 or 0 of each picture.
std::int64_t nmse_workspace_bytes(Shape a) {
  return a.n * (blocks_per_picture(a) * std::int64_t(sizeof(Sums)) + std::int64_t(sizeof(double)));
}

void nmse(CudaStream stream, ConstTensorView a, ConstTensorView b, const Request& request) {
  const std::int64_t count = picture_count(a.shape);
  const int pictures = static_cast<int>(a.shape.n), blocks = blocks_per_picture(a.shape);
  Sums* partial = static_cast<Sums*>(request.workspace);
  float* inverse = reinterpret_cast<float*>(partial + std::int64_t(pictures) * blocks);
  visit_dtypes(a.dtype, b.dtype, [&](auto ta, auto tb) {
    using A = decltype(ta);
    using B = decltype(tb);
    constexpr int kSumVector = kVectorOf<A, B>;
    const bool vectors = all_aligned(a.as<A>(), b.as<B>()) && count % kSumVector == 0;
    launch("nmse_sums", vectors ? nmse_sums_kernel<kSumVector, A, B> : nmse_sums_kernel<1, A, B>,
           dim3(blocks, pictures), dim3(kSumThreads), 0, stream, a.as<A>(), b.as<B>(), count, partial);
    launch("nmse_finish", nmse_finish_kernel, dim3(1), dim3(kSumThreads), 0, stream, partial, pictures,
           blocks, request.scale, request.value, inverse);
    if (!request.wants_gradient()) return;
    visit_dtype(request.gradient.dtype, [&](auto td) {
      using D = decltype(td);
      constexpr int kVector = kVectorOf<A, B, D>;
      const NmseGradient<A, B, D> op{.a = a.as<A>(),
                                     .b = b.as<B>(),
                                     .inverse = inverse,
                                     .da = request.gradient.as<D>(),
                                     .picture_count = count,
                                     .scale = request.gradient_scale,
                                     .accumulate = request.accumulates()};
      launch_elementwise<kVector>("nmse_gradient", stream, op, a.shape.count(),
                                  all_aligned(op.a, op.b, op.da) && count % kVector == 0);
    });
  });
}

}  // namespace chiaro::losses::cuda
