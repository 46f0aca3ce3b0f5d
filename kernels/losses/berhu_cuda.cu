#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/grid_sum.cuh"
#include "kernels/losses/losses_cuda.hpp"

namespace chiaro::losses::cuda {

namespace {

constexpr int kBlocks = 128;  // few enough for every block of the second pass to go through all of the first

struct Extent {
  double valid;
  float largest;
};

template <class T>
struct Pixels {
  const T* prediction;
  const float* target;
  std::int64_t count;

  // Calls visit(d) for the valid pixels of this thread.
  template <class Visit>
  __device__ void for_each(Visit&& visit) const {
    for (std::int64_t i = std::int64_t(blockIdx.x) * kSumThreads + threadIdx.x; i < count;
         i += std::int64_t(gridDim.x) * kSumThreads)
      if (target[i] > 0) visit(to_float(prediction[i]) - target[i]);
  }
};

template <class T>
__global__ void __launch_bounds__(kSumThreads) extent_kernel(Pixels<T> pixels, Extent* extents) {
  float largest = 0;
  double valid = 0;
  pixels.for_each([&](float d) {
    largest = fmaxf(largest, fabsf(d));
    valid += 1;
  });
  largest = block_max<kSumThreads>(largest);
  valid = block_sum<kSumThreads>(valid);
  if (threadIdx.x == 0) extents[blockIdx.x] = {valid, largest};
}

// partial: one double per block. state: c, 1 / valid.
template <class T>
__global__ void __launch_bounds__(kSumThreads)
    berhu_sum_kernel(Pixels<T> pixels, const Extent* extents, double scale, float* state, double* partial) {
  float largest = 0;
  double valid = 0, sum = 0;
  for (int b = threadIdx.x; b < int(gridDim.x); b += kSumThreads) {
    largest = fmaxf(largest, extents[b].largest);
    valid += extents[b].valid;
  }
  const float c = kBerhuFraction * block_max<kSumThreads>(largest);
  valid = block_sum<kSumThreads>(valid);
  pixels.for_each([&](float d) {
    const float a = fabsf(d);
    sum += a <= c ? a : (a * a + c * c) / (2 * c);
  });
  sum = block_sum<kSumThreads>(sum);
  if (threadIdx.x != 0) return;
  partial[blockIdx.x] = valid > 0 ? scale / valid * sum : 0;
  if (blockIdx.x == 0) {
    state[0] = c;
    state[1] = valid > 0 ? float(1 / valid) : 0;
  }
}

template <class T, class D>
struct BerhuGradient {
  const T* prediction;
  const float *target, *state;
  D* dprediction;
  float scale;
  bool accumulate;

  template <int V>
  __device__ void run(std::int64_t i) const {
    const float c = state[0], factor = scale * state[1];
    float d[V], t[V];
    load<V>(prediction + i, d);
    load<V>(target + i, t);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      d[k] -= t[k];
      const float slope = fabsf(d[k]) > c ? d[k] / c : d[k] > 0 ? 1.0f : d[k] < 0 ? -1.0f : 0.0f;
      d[k] = t[k] > 0 ? factor * slope : 0.0f;
    }
    store_gradient<V>(dprediction + i, d, accumulate);
  }
};

}  // namespace

// The blocks' extents, their sums, and the state.
std::int64_t berhu_workspace_bytes() {
  return kBlocks * std::int64_t(sizeof(Extent) + sizeof(double)) + 2 * std::int64_t(sizeof(float));
}

void berhu(CudaStream stream, ConstTensorView prediction, ConstTensorView target, const Request& request) {
  visit_dtypes(prediction.dtype, request.gradient_dtype(), [&](auto a, auto b) {
    using T = decltype(a);
    using D = decltype(b);
    const Pixels<T> pixels{prediction.as<T>(), target.as<float>(), prediction.shape.count()};
    const std::int64_t wanted = (pixels.count + kSumThreads - 1) / kSumThreads;
    const int blocks = static_cast<int>(wanted < kBlocks ? wanted : kBlocks);
    Extent* extents = static_cast<Extent*>(request.workspace);
    double* partial = reinterpret_cast<double*>(extents + kBlocks);
    float* state = reinterpret_cast<float*>(partial + kBlocks);
    launch("berhu_extent", extent_kernel<T>, dim3(blocks), dim3(kSumThreads), 0, stream, pixels, extents);
    launch("berhu_sum", berhu_sum_kernel<T>, dim3(blocks), dim3(kSumThreads), 0, stream, pixels, extents,
           request.scale, state, partial);
    if (request.value)
      launch("finish_sum", finish_sum_kernel<float>, dim3(1), dim3(kSumThreads), 0, stream, partial, blocks,
             request.value, false);
    if (!request.wants_gradient()) return;
    const BerhuGradient<T, D> op{.prediction = pixels.prediction,
                                 .target = pixels.target,
                                 .state = state,
                                 .dprediction = request.gradient.as<D>(),
                                 .scale = float(request.gradient_scale),
                                 .accumulate = request.accumulates()};
    launch_elementwise<kVectorOf<T, D>>("berhu_gradient", stream, op, pixels.count,
                                        all_aligned(op.prediction, op.target, op.dprediction));
  });
}

}  // namespace chiaro::losses::cuda
