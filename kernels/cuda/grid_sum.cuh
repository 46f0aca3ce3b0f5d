// The sum of one double per vector of elements over a whole array: two launches, no atomics.
//
// A block adds every gridDim-th group of vectors; the second launch, finish_sum, adds the blocks. The order
// depends on the number of elements and the vector width alone.
#pragma once
#include "kernels/cuda/reduce.cuh"

namespace chiaro {

inline constexpr int kSumThreads = 256, kSumBlocks = 1056;     // eight on each multiprocessor of an H100
inline constexpr std::int64_t kGridSumBytes = kSumBlocks * 8;  // of workspace, aligned to 8

template <int V, class Op>
__global__ void __launch_bounds__(kSumThreads, 4) sum_kernel(Op op, std::int64_t count, double* partial) {
  double sum = 0;
  const std::int64_t stride = std::int64_t(gridDim.x) * kSumThreads * V;
  for (std::int64_t i = (std::int64_t(blockIdx.x) * kSumThreads + threadIdx.x) * V; i < count; i += stride) {
    if (i + V <= count) {
      sum += op.template run<V>(i);
    } else {
      for (std::int64_t k = i; k < count; ++k) sum += op.template run<1>(k);
    }
  }
  if (!partial) return;  // of all threads
  sum = block_sum<kSumThreads>(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// *out = the sum of the blocks, or its square root.
template <class Out>
__global__ void __launch_bounds__(kSumThreads)
    finish_sum_kernel(const double* partial, int blocks, Out* out, bool root) {
  double sum = 0;
  for (int b = threadIdx.x; b < blocks; b += kSumThreads) sum += partial[b];
  sum = block_sum<kSumThreads>(sum);
  if (threadIdx.x == 0) *out = Out(root ? sqrt(sum) : sum);
}

// op.run<V>(i) returns its part of the sum for elements i .. i + V - 1 and may write results of its own. out
// may be null: then nothing is summed, and there is one launch.
template <int V, class Op, class Out>
void launch_grid_sum(const char* name, CudaStream stream, const Op& op, std::int64_t count, bool vectors,
                     void* workspace, Out* out, bool root = false) {
  const std::int64_t groups = (count + kSumThreads * V - 1) / (kSumThreads * V);
  const int blocks = static_cast<int>(groups < 1 ? 1 : groups < kSumBlocks ? groups : kSumBlocks);
  double* partial = out ? static_cast<double*>(workspace) : nullptr;
  launch(name, vectors ? sum_kernel<V, Op> : sum_kernel<1, Op>, dim3(blocks), dim3(kSumThreads), 0, stream,
         op, count, partial);
  if (out)
    launch("finish_sum", finish_sum_kernel<Out>, dim3(1), dim3(kSumThreads), 0, stream, partial, blocks, out,
           root);
}

}  // namespace chiaro
