// How reductions over the pixels of a channel are cut into chunks, and how chunks are added afterwards.
#pragma once
#include "kernels/cuda/channel_grid.cuh"

namespace chiaro::instance_norm::cuda {

// Chunks of one wave: two blocks on each of the 132 multiprocessors of an H100.
inline constexpr int kReductionBlocks = 264;

constexpr ChannelGrid reduction_grid(std::int64_t pictures, std::int64_t pixels, std::int64_t channels,
                                     int vector) {
  return pick_channel_grid(pictures, pixels, channels, vector, kReductionBlocks);
}
// Of all pictures together.
constexpr std::int64_t num_chunks(std::int64_t pictures, std::int64_t pixels, std::int64_t channels) {
  return pictures * reduction_grid(pictures, pixels, channels, 1).chunks;
}

inline constexpr int kFinishChannels = 32, kFinishRows = 16;

// Adds one double per row of a (kFinishRows, kFinishChannels) block of threads, in row order; the sum of its
// channel in every thread.
inline __device__ double sum_rows(double value) {
  CHIARO_SHARED(double, rows, [kFinishRows][kFinishChannels]);
  __syncthreads();
  rows[threadIdx.y][threadIdx.x] = value;
  __syncthreads();
  double sum = 0;
  for (int r = 0; r < kFinishRows; ++r) sum += rows[r][threadIdx.x];
  return sum;
}

// Adds two values per channel over the rows of a block into its chunk of partial, (pictures, chunks, 2, C).
// shared: 2 * rows_bytes(g).
template <int V>
__device__ void write_chunk_sums(const ChannelGrid& g, const ChannelPlace& place, const float (&a)[V],
                                 const float (&b)[V], float* shared, float* partial) {
  const int width = g.lanes * V;
  float* shared_b = shared + g.rows * width;
  store<V>(shared + threadIdx.x * V, a);
  store<V>(shared_b + threadIdx.x * V, b);
  __syncthreads();
  float* chunk =
      partial + (std::int64_t(blockIdx.z) * g.chunks + blockIdx.x) * 2 * g.channels + place.slice_begin;
  for_each_block_channel(g, place, [&](int k) {
    float sum_a[4] = {}, sum_b[4] = {};  // four sums each: shorter chains, less rounding
    for (int r = 0; r < g.rows; r += 4) {
      CHIARO_UNROLL
      for (int u = 0; u < 4; ++u) {
        if (r + u >= g.rows) continue;
        sum_a[u] += shared[(r + u) * width + k];
        sum_b[u] += shared_b[(r + u) * width + k];
      }
    }
    chunk[k] = (sum_a[0] + sum_a[1]) + (sum_a[2] + sum_a[3]);
    chunk[g.channels + k] = (sum_b[0] + sum_b[1]) + (sum_b[2] + sum_b[3]);
  });
}

}  // namespace chiaro::instance_norm::cuda
