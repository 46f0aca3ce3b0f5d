#include "kernels/cuda/device_pad.cuh"
#include "kernels/norm/chunk_sums_cuda.cuh"
#include "kernels/norm/finish_sums_cuda.cuh"
#include "kernels/norm/instance_norm_cuda.hpp"

namespace chiaro::instance_norm::cuda {

namespace {

constexpr int kDxBlocks = 528;  // four on each multiprocessor of an H100

// What both passes over the data read.
template <class T>
struct Inputs {
  const T* __restrict__ x, * __restrict__ dy;
  const float* __restrict__ gamma, * __restrict__ beta, * __restrict__ mean, * __restrict__ rstd;
  PictureBorder border;
  bool relu, per_picture;
};

// One thread's channels of one picture.
template <class T, int V>
struct Column {
  float mean[V], scale[V], beta[V];
  const T *x, *dy;
  int channels, channel;

  __device__ Column(const Inputs<T>& a, int n, int c, int channels_) : channels(channels_), channel(c) {
    float rstd[V];
    load<V>(a.mean + n * channels + c, mean);
    load<V>(a.rstd + n * channels + c, rstd);
    const int parameters = (a.per_picture ? n * channels : 0) + c;
    load<V>(a.gamma + parameters, scale);
    load<V>(a.beta + parameters, beta);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) scale[k] *= rstd[k];
    x = a.x + std::int64_t(n) * a.border.rows.extent * a.border.columns.extent * channels + c;
    dy = a.dy + std::int64_t(n) * a.border.rows.outer() * a.border.columns.outer() * channels;
  }
  // centered = x - mean, folded = dy with its border folded in, g = folded where the ReLU lets it through
  __device__ void at(const Inputs<T>& a, int h, int w, float (&centered)[V], float (&folded)[V],
                     float (&g)[V]) const {
    load<V>(x + (std::int64_t(h) * a.border.columns.extent + w) * channels, centered);
    load_folded<V>(dy, a.border, h, w, channels, channel, folded);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      centered[k] -= mean[k];
      folded[k] = to_float(from_float<T>(folded[k]));  // as if it had been stored
      g[k] = !a.relu || fmaf(scale[k], centered[k], beta[k]) > 0 ? folded[k] : 0.0f;
    }
  }
};

// partial: (N, chunks, 2, C) = sum of g, sum of g * (x - mean)
template <class T, int V>
__global__ void __launch_bounds__(ChannelGrid::kThreads, 2)
    sums_kernel(Inputs<T> a, float* __restrict__ partial, ChannelGrid grid) {
  CHIARO_SHARED_DYNAMIC(float, shared);
  const ChannelPlace place(grid);
  const int W = a.border.columns.extent;
  float sum_g[V] = {}, sum_gx[V] = {};
  if (place.active) {
    const Column<T, V> column(a, blockIdx.z, place.channel, grid.channels);
    for (int p = place.begin + place.row; p < place.end; p += grid.rows) {
      float centered[V], folded[V], g[V];
      column.at(a, p / W, p % W, centered, folded, g);
      CHIARO_UNROLL
      for (int k = 0; k < V; ++k) {
        sum_g[k] += g[k];
        sum_gx[k] = fmaf(g[k], centered[k], sum_gx[k]);
      }
    }
  }
  write_chunk_sums(grid, place, sum_g, sum_gx, shared, partial);
}

template <class T>
struct Outputs {
  const float* __restrict__ coefficients;
  T* __restrict__ dx, * __restrict__ dresidual;  // either may be null
  int top, left, outer_w;                        // of the residual
  bool accumulate_dx, accumulate_dresidual;
};

// Runs over the pixels of dresidual, its border included, or over those of x.
template <class T, int V>
__global__ void __launch_bounds__(ChannelGrid::kThreads, 2)
    dx_kernel(Inputs<T> a, Outputs<T> out, ChannelGrid grid) {
  const ChannelPlace place(grid);
  if (!place.active) return;
  const int n = blockIdx.z, c = place.channel, C = grid.channels;
  const int H = a.border.rows.extent, W = a.border.columns.extent;
  const Column<T, V> column(a, n, c, C);
  float mean_g[V] = {}, slope[V] = {};
  if (out.dx) {
    load<V>(out.coefficients + (n * 2) * C + c, mean_g);
    load<V>(out.coefficients + (n * 2 + 1) * C + c, slope);
  }
  for (int p = place.begin + place.row; p < place.end; p += grid.rows) {
    const int h = p / out.outer_w - out.top, w = p % out.outer_w - out.left;
    T* dresidual = out.dresidual ? out.dresidual + (std::int64_t(n) * grid.pixels + p) * C + c : nullptr;
    if (h < 0 || h >= H || w < 0 || w >= W) {
      const float zero[V] = {};
      if (!out.accumulate_dresidual) store<V>(dresidual, zero);
      continue;
    }
    float centered[V], folded[V], g[V];
    column.at(a, h, w, centered, folded, g);
    if (out.dx) {
      CHIARO_UNROLL
      for (int k = 0; k < V; ++k) g[k] = column.scale[k] * (g[k] - mean_g[k] - centered[k] * slope[k]);
      store_gradient<V>(out.dx + ((std::int64_t(n) * H + h) * W + w) * C + c, g, out.accumulate_dx);
    }
    if (dresidual) store_gradient<V>(dresidual, folded, out.accumulate_dresidual);
  }
}

template <class T>
void run(CudaStream stream, const BackwardArgs& args) {
  constexpr int kVector = 16 / static_cast<int>(sizeof(T));
  const Shape& s = args.x.shape;
  const bool want_dx = args.dx_mode != GradientMode::Ignore;
  const bool want_parameters = args.param_mode != GradientMode::Ignore;
  const bool want_residual = args.dresidual_mode != GradientMode::Ignore;
  const Inputs<T> inputs{.x = args.x.as<T>(),
                         .dy = args.dy.as<T>(),
                         .gamma = args.gamma,
                         .beta = args.beta,
                         .mean = args.mean,
                         .rstd = args.rstd,
                         .border = picture_pad(args.attr.out_pad, s),
                         .relu = args.attr.relu,
                         .per_picture = args.attr.per_picture};
  float* partial = static_cast<float*>(args.workspace);
  float* coefficients = partial + num_chunks(s.n, s.pixels(), s.c) * 2 * s.c;
  T* dx = want_dx ? args.dx.as<T>() : nullptr;
  T* dresidual = want_residual ? args.dresidual.as<T>() : nullptr;
  const int vector = vector_width<T>(s.c, inputs.x, inputs.dy, args.gamma, args.beta, args.mean, args.rstd,
                                     coefficients, dx, dresidual);
  if (want_dx || want_parameters) {
    const ChannelGrid g = reduction_grid(s.n, s.pixels(), s.c, vector);
    launch("instance_norm_sums", vector == 1 ? sums_kernel<T, 1> : sums_kernel<T, kVector>, grid_of(g),
           dim3(g.threads()), 2 * rows_bytes(g), stream, inputs, partial, g);
    launch("instance_norm_finish_sums", finish_sums_kernel, dim3(blocks_for(s.c, kFinishChannels)),
           dim3(kFinishChannels, kFinishRows), 0, stream, partial, args.rstd, coefficients,
           want_parameters ? args.dgamma : nullptr, args.dbeta, args.param_mode == GradientMode::Accumulate,
           args.attr.per_picture, g);
  }
  if (!want_dx && !want_residual) return;
  const Pad res = want_residual ? args.attr.residual_pad : Pad{};
  const Shape outer = res.outer(s);
  const Outputs<T> outputs{.coefficients = coefficients,
                           .dx = dx,
                           .dresidual = dresidual,
                           .top = int(res.top),
                           .left = int(res.left),
                           .outer_w = int(outer.w),
                           .accumulate_dx = args.dx_mode == GradientMode::Accumulate,
                           .accumulate_dresidual = args.dresidual_mode == GradientMode::Accumulate};
  const ChannelGrid g = pick_channel_grid(s.n, outer.pixels(), s.c, vector, kDxBlocks);
  launch("instance_norm_dx", vector == 1 ? dx_kernel<T, 1> : dx_kernel<T, kVector>, grid_of(g),
         dim3(g.threads()), 0, stream, inputs, outputs, g);
}

}  // namespace

std::int64_t backward_workspace_bytes(const Shape& x) {
  return (num_chunks(x.n, x.pixels(), x.c) + x.n) * 2 * x.c * std::int64_t(sizeof(float));
}

void backward(CudaStream stream, const BackwardArgs& args) {
  visit_dtype(args.x.dtype, [&](auto zero) { run<decltype(zero)>(stream, args); });
}

}  // namespace chiaro::instance_norm::cuda
