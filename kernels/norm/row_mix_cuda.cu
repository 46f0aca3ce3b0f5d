#include "kernels/cuda/elementwise.cuh"
#include "kernels/norm/row_mix_cuda.hpp"

namespace chiaro::row_mix::cuda {

namespace {

// One block's part of one row of the result: to[r,i] (+)= sum_k weight[r * row_step + k * step] * from[k,i].
template <int V>
__global__ void __launch_bounds__(kElementThreads)
    mix_kernel(const float* __restrict__ weight, int row_step, int step, int count,
               const float* __restrict__ from, std::int64_t length, float* __restrict__ to, bool accumulate) {
  const std::int64_t i = (std::int64_t(blockIdx.x) * kElementThreads + threadIdx.x) * V;
  if (i >= length) return;
  const float* shares = weight + std::int64_t(blockIdx.y) * row_step;
  float* result = to + std::int64_t(blockIdx.y) * length + i;
  float sum[V] = {};
  if (accumulate) load<V>(result, sum);
  for (int k = 0; k < count; ++k) {
    const float share = shares[std::int64_t(k) * step];
    if (share == 0) continue;
    float row[V];
    load<V>(from + k * length + i, row);
    CHIARO_UNROLL
    for (int e = 0; e < V; ++e) sum[e] = fmaf(share, row[e], sum[e]);
  }
  store<V>(result, sum);
}

void mix(const char* name, CudaStream stream, const float* weight, std::int64_t results,
         std::int64_t row_step, std::int64_t step, std::int64_t count, const float* from, std::int64_t length,
         float* to, bool accumulate) {
  const bool vectors = length % 4 == 0 && all_aligned(from, to);
  require(results <= 65535, "row_mix: {} rows are too many", results);
  launch(name, vectors ? mix_kernel<4> : mix_kernel<1>,
         dim3(blocks_for(length, kElementThreads * (vectors ? 4 : 1)), unsigned(results)),
         dim3(kElementThreads), 0, stream, weight, int(row_step), int(step), int(count), from, length, to,
         accumulate);
}

}  // namespace

void forward(CudaStream stream, const Sizes& s, const float* w, const float* t, float* y) {
  mix("row_mix_forward", stream, w, s.pictures, s.rows, 1, s.rows, t, s.length, y, false);
}

void backward(CudaStream stream, const Sizes& s, const float* w, const float* dy, float* dt,
              bool accumulate) {
  mix("row_mix_backward", stream, w, s.rows, 1, s.rows, s.pictures, dy, s.length, dt, accumulate);
}

}  // namespace chiaro::row_mix::cuda
