// The small kernel between the two passes of the backward of instance norm, and of batch norm in training.
#pragma once
#include "kernels/norm/chunk_sums_cuda.cuh"

namespace chiaro::instance_norm::cuda {

// Adds the chunks in double and in order. partial: (N, chunks, 2, C) = sum of g, sum of g * (x - mean);
// coefficients: (N, 2, C) = mean of g, and what x - mean is multiplied by; dgamma, dbeta: sums over the
// pictures in order, or with per_picture (N,C), or null.
static __global__ void __launch_bounds__(kFinishChannels* kFinishRows)
    finish_sums_kernel(const float* __restrict__ partial, const float* __restrict__ rstd,
                       float* __restrict__ coefficients, float* __restrict__ dgamma,
                       float* __restrict__ dbeta, bool accumulate, bool per_picture, ChannelGrid g) {
  const int channel = blockIdx.x * kFinishChannels + threadIdx.x, C = g.channels;
  const bool active = channel < C;
  float total_gamma = 0, total_beta = 0;
  for (int n = 0; n < g.pictures; ++n) {
    double sum_g = 0, sum_gx = 0;
    for (int b = threadIdx.y; active && b < g.chunks; b += kFinishRows) {
      const float* chunk = partial + (std::int64_t(n) * g.chunks + b) * 2 * C + channel;
      sum_g += chunk[0];
      sum_gx += chunk[C];
    }
    sum_g = sum_rows(sum_g);
    sum_gx = sum_rows(sum_gx);
    if (!active || threadIdx.y != 0) continue;
    const double r = rstd[n * C + channel], pixels = g.pixels;
    coefficients[(n * 2) * C + channel] = float(sum_g / pixels);
    coefficients[(n * 2 + 1) * C + channel] = float(sum_gx * r * r / pixels);
    total_gamma += float(sum_gx * r);
    total_beta += float(sum_g);
    if (!dgamma || !(per_picture || n + 1 == g.pictures)) continue;
    const int to = per_picture ? n * C + channel : channel;
    dgamma[to] = accumulate ? dgamma[to] + total_gamma : total_gamma;
    dbeta[to] = accumulate ? dbeta[to] + total_beta : total_beta;
    total_gamma = total_beta = 0;
  }
}

}  // namespace chiaro::instance_norm::cuda
