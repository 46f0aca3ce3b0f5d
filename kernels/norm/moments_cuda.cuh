// Mean and variance per channel on the device, for instance norm and for batch norm in training.
//
// Two launches: every block reduces its chunk of pixels to a mean and a sum of squared deviations per
// channel, then the chunks are merged in double, in their order. Values are taken relative to the first pixel
// of their chunk, and nowhere is a square subtracted from a sum of squares: threads merge groups of four
// pixels as Chan et al. (1979) do, rows and chunks are merged by passes over their means. So a large mean
// with a small variance loses nothing, and the mean of equal values is that value.
#pragma once
#include "kernels/norm/chunk_sums_cuda.cuh"

namespace chiaro::instance_norm::cuda {

constexpr std::int64_t moments_workspace_bytes(std::int64_t pictures, std::int64_t pixels,
                                               std::int64_t channels) {
  return num_chunks(pictures, pixels, channels) * 3 * channels * std::int64_t(sizeof(float));
}

// Merges U pixels into the running mean and sum of squared deviations of `count` pixels.
template <int U, int V>
__device__ void merge_pixels(const float (&x)[U][V], float count, float (&mean)[V], float (&m2)[V]) {
  const float weight = float(U) / (count + float(U));
  CHIARO_UNROLL
  for (int k = 0; k < V; ++k) {
    float group_mean = x[0][k], group_m2 = 0;
    if constexpr (U == 4) {
      group_mean = 0.25f * ((x[0][k] + x[1][k]) + (x[2][k] + x[3][k]));
      CHIARO_UNROLL
      for (int u = 0; u < U; ++u) group_m2 += (x[u][k] - group_mean) * (x[u][k] - group_mean);
    }
    const float delta = group_mean - mean[k];
    mean[k] += delta * weight;
    m2[k] += group_m2 + delta * delta * (count * weight);
  }
}

// partial: (pictures, chunks, 3, C) = first pixel, mean - first pixel, sum of squared deviations from the
// mean. Reads x once: N*P*C*sizeof(T) bytes.
template <class T, int V>
__global__ void __launch_bounds__(ChannelGrid::kThreads, 2)
    moments_kernel(const T* __restrict__ x, float* __restrict__ partial, ChannelGrid g) {
  CHIARO_SHARED_DYNAMIC(float, row_means);  // (rows, lanes * V), then as many sums of squared deviations
  const ChannelPlace place(g);
  const int width = g.lanes * V;
  float* row_m2 = row_means + g.rows * width;
  float pivot[V] = {}, mean[V] = {}, m2[V] = {}, count = 0;
  if (place.active) {
    const T* column = x + std::int64_t(blockIdx.z) * g.pixels * g.channels + place.channel;
    load<V>(column + std::int64_t(place.begin) * g.channels, pivot);
    const auto load_relative = [&](int pixel, float(&v)[V]) {
      load<V>(column + std::int64_t(pixel) * g.channels, v);
      CHIARO_UNROLL
      for (int k = 0; k < V; ++k) v[k] -= pivot[k];
    };
    int p = place.begin + place.row;
    for (; p + 3 * g.rows < place.end; p += 4 * g.rows) {
      float values[4][V];
      CHIARO_UNROLL
      for (int u = 0; u < 4; ++u) load_relative(p + u * g.rows, values[u]);
      merge_pixels<4>(values, count, mean, m2);
      count += 4;
    }
    for (; p < place.end; p += g.rows) {
      float values[1][V];
      load_relative(p, values[0]);
      merge_pixels<1>(values, count, mean, m2);
      count += 1;
    }
  }
  float* chunk = partial + (std::int64_t(blockIdx.z) * g.chunks + blockIdx.x) * 3 * g.channels;
  if (place.active && place.row == 0) store<V>(chunk + place.channel, pivot);
  store<V>(row_means + threadIdx.x * V, mean);
  store<V>(row_m2 + threadIdx.x * V, m2);
  __syncthreads();
  for_each_block_channel(g, place, [&](int k) {
    const float pixels = float(place.end - place.begin), first = row_means[k];
    float sum = 0;
    for (int r = 1; r < g.rows; ++r)
      sum += float(place.count(r, g.rows)) * (row_means[r * width + k] - first);
    const float rough = first + sum / pixels;
    float rest = 0, squares = 0;  // the second pass takes off what rounding left in the first
    for (int r = 0; r < g.rows; ++r) {
      const float weight = float(place.count(r, g.rows)), delta = row_means[r * width + k] - rough;
      rest += weight * delta;
      squares += row_m2[r * width + k] + weight * delta * delta;
    }
    float* to = chunk + g.channels + place.slice_begin + k;
    to[0] = rough + rest / pixels;
    to[g.channels] = squares - rest * (rest / pixels);
  });
}

struct RunningMoments {  // of batch norm; null pointers for none
  float *mean, *variance;
  float momentum;
};

// mean, rstd: (pictures, C). Grid: (channels / kFinishChannels, pictures).
static __global__ void __launch_bounds__(kFinishChannels* kFinishRows)
    finish_moments_kernel(const float* __restrict__ partial, float* __restrict__ mean,
                          float* __restrict__ rstd, float eps, RunningMoments running, ChannelGrid g) {
  const int channel = blockIdx.x * kFinishChannels + threadIdx.x;
  const bool active = channel < g.channels;
  const float* column =
      partial + std::int64_t(blockIdx.y) * g.chunks * 3 * g.channels + (active ? channel : 0);
  const auto chunk = [&](int b) { return column + std::int64_t(b) * 3 * g.channels; };
  const auto mean_of = [&](int b) { return double(chunk(b)[0]) + double(chunk(b)[g.channels]); };
  const auto weight = [&](int b) {
    return double(b + 1 < g.chunks ? g.chunk_pixels : g.pixels - b * g.chunk_pixels);
  };
  const double first = mean_of(0);
  double sum = 0, squares = 0;
  for (int b = threadIdx.y; b < g.chunks; b += kFinishRows) sum += weight(b) * (mean_of(b) - first);
  const double total_mean = first + sum_rows(sum) / double(g.pixels);
  for (int b = threadIdx.y; b < g.chunks; b += kFinishRows) {
    const double delta = mean_of(b) - total_mean;
    squares += double(chunk(b)[2 * g.channels]) + weight(b) * delta * delta;
  }
  squares = sum_rows(squares);
  if (!active || threadIdx.y != 0) return;
  const double variance = squares / double(g.pixels);
  mean[blockIdx.y * g.channels + channel] = float(total_mean);
  rstd[blockIdx.y * g.channels + channel] = float(1.0 / sqrt(variance + double(eps)));
  if (running.mean) {
    const float unbiased = float(squares / double(g.pixels - 1)), m = running.momentum;
    running.mean[channel] = (1 - m) * running.mean[channel] + m * float(total_mean);
    running.variance[channel] = (1 - m) * running.variance[channel] + m * unbiased;
  }
}

// Both launches. x: (pictures, pixels, C), partial: moments_workspace_bytes().
template <class T>
void moments(CudaStream stream, const T* x, std::int64_t pictures, std::int64_t pixels, std::int64_t channels,
             float eps, float* partial, float* mean, float* rstd, const RunningMoments& running = {}) {
  const ChannelGrid g = reduction_grid(pictures, pixels, channels, vector_width<T>(channels, x, partial));
  constexpr int kVector = 16 / static_cast<int>(sizeof(T));
  launch("moments", g.vector == 1 ? moments_kernel<T, 1> : moments_kernel<T, kVector>, grid_of(g),
         dim3(g.threads()), 2 * rows_bytes(g), stream, x, partial, g);
  launch("finish_moments", finish_moments_kernel, dim3(blocks_for(channels, kFinishChannels), g.pictures),
         dim3(kFinishChannels, kFinishRows), 0, stream, partial, mean, rstd, eps, running, g);
}

}  // namespace chiaro::instance_norm::cuda
