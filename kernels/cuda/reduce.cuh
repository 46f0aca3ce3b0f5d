// Sums and maxima over the threads of a warp and of a block, in an order that depends on their number alone.
#pragma once
#include "kernels/base/cuda_portable.hpp"

namespace chiaro {

// The sum over the 32 lanes of a full warp, in every lane: the same bits, since a + b = b + a.
template <class T>
inline __device__ T warp_sum(T value) {
  CHIARO_UNROLL
  for (int bits = 16; bits > 0; bits /= 2) value += __shfl_xor_sync(0xffffffffu, value, bits);
  return value;
}

// The sum over a block of kThreads (a multiple of 32) threads in x, in every thread.
template <int kThreads, class T>
inline __device__ T block_sum(T value) {
  static_assert(kThreads % 32 == 0 && kThreads <= 1024);
  CHIARO_SHARED(T, partial, [32]);
  value = warp_sum(value);
  __syncthreads();  // an earlier call may still be read
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  return warp_sum(threadIdx.x % 32 < kThreads / 32 ? partial[threadIdx.x % 32] : T(0));
}

// The largest value of a block; NaN counts as nothing.
template <int kThreads>
inline __device__ float block_max(float value) {
  static_assert(kThreads % 32 == 0 && kThreads <= 1024);
  CHIARO_SHARED(float, partial, [32]);
  const auto warp_max = [](float v) {
    CHIARO_UNROLL
    for (int bits = 16; bits > 0; bits /= 2) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, bits));
    return v;
  };
  value = warp_max(value);
  __syncthreads();  // an earlier call may still be read
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  return warp_max(threadIdx.x % 32 < kThreads / 32 ? partial[threadIdx.x % 32] : value);
}

}  // namespace chiaro
