#include "kernels/norm/batch_norm_training_cuda.hpp"

#include "kernels/norm/finish_sums_cuda.cuh"
#include "kernels/norm/moments_cuda.cuh"

namespace chiaro::batch_norm::training::cuda {

namespace {

namespace moments = instance_norm::cuda;

constexpr int kBlocks = 528;  // of the passes that write: four on each multiprocessor of an H100

template <class T>
struct Apply {
  const T* __restrict__ x, * __restrict__ residual;  // residual may be null
  T* __restrict__ y;
  const float* __restrict__ scale, * __restrict__ offset, * __restrict__ mean, * __restrict__ rstd;
  bool relu;
};

template <class T, int V>
__global__ void __launch_bounds__(ChannelGrid::kThreads, 2) apply_kernel(Apply<T> a, ChannelGrid g) {
  const ChannelPlace place(g);
  if (!place.active) return;
  const int c = place.channel;
  float mean[V], scale[V], offset[V], rstd[V];
  load<V>(a.mean + c, mean);
  load<V>(a.rstd + c, rstd);
  load<V>(a.scale + c, scale);
  load<V>(a.offset + c, offset);
  CHIARO_UNROLL
  for (int k = 0; k < V; ++k) scale[k] *= rstd[k];
  for (int p = place.begin + place.row; p < place.end; p += g.rows) {
    const std::int64_t i = std::int64_t(p) * g.channels + c;
    float v[V], r[V] = {};
    load<V>(a.x + i, v);
    if (a.residual) load<V>(a.residual + i, r);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      v[k] = fmaf(scale[k], v[k] - mean[k], offset[k]) + r[k];
      if (a.relu && v[k] < 0) v[k] = 0;  // keeps NaN
    }
    store<V>(a.y + i, v);
  }
}

template <class T>
struct Inputs {
  const T* __restrict__ x, * __restrict__ y, * __restrict__ dy;  // y is null without ReLU
  const float* __restrict__ scale, * __restrict__ mean, * __restrict__ rstd;

  // x - mean, and dy where the ReLU lets it through
  template <int V>
  __device__ void at(std::int64_t i, const float (&center)[V], float (&centered)[V], float (&g)[V]) const {
    float out[V];
    load<V>(x + i, centered);
    load<V>(dy + i, g);
    if (y) load<V>(y + i, out);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      centered[k] -= center[k];
      g[k] = !y || out[k] > 0 ? g[k] : 0.0f;
    }
  }
};

// partial: (1, chunks, 2, C) = sum of g, sum of g * (x - mean)
template <class T, int V>
__global__ void __launch_bounds__(ChannelGrid::kThreads, 2)
    sums_kernel(Inputs<T> a, float* __restrict__ partial, ChannelGrid grid) {
  CHIARO_SHARED_DYNAMIC(float, shared);
  const ChannelPlace place(grid);
  float sum_g[V] = {}, sum_gx[V] = {};
  if (place.active) {
    float mean[V];
    load<V>(a.mean + place.channel, mean);
    for (int p = place.begin + place.row; p < place.end; p += grid.rows) {
      float centered[V], g[V];
      a.at(std::int64_t(p) * grid.channels + place.channel, mean, centered, g);
      CHIARO_UNROLL
      for (int k = 0; k < V; ++k) {
        sum_g[k] += g[k];
        sum_gx[k] = fmaf(g[k], centered[k], sum_gx[k]);
      }
    }
  }
  moments::write_chunk_sums(grid, place, sum_g, sum_gx, shared, partial);
}

template <class T>
struct Outputs {
  const float* __restrict__ coefficients;        // (2, C)
  T* __restrict__ dx, * __restrict__ dresidual;  // either may be null
  bool accumulate_dx, accumulate_dresidual;
};

template <class T, int V>
__global__ void __launch_bounds__(ChannelGrid::kThreads, 2)
    dx_kernel(Inputs<T> a, Outputs<T> out, ChannelGrid grid) {
  const ChannelPlace place(grid);
  if (!place.active) return;
  const int c = place.channel;
  float mean[V], scale[V], rstd[V], mean_g[V] = {}, slope[V] = {};
  load<V>(a.mean + c, mean);
  load<V>(a.rstd + c, rstd);
  load<V>(a.scale + c, scale);
  if (out.dx) {
    load<V>(out.coefficients + c, mean_g);
    load<V>(out.coefficients + grid.channels + c, slope);
  }
  for (int p = place.begin + place.row; p < place.end; p += grid.rows) {
    const std::int64_t i = std::int64_t(p) * grid.channels + c;
    float centered[V], g[V];
    a.at(i, mean, centered, g);
    if (out.dx) {
      float dx[V];
      CHIARO_UNROLL
      for (int k = 0; k < V; ++k) dx[k] = scale[k] * rstd[k] * (g[k] - mean_g[k] - centered[k] * slope[k]);
      store_gradient<V>(out.dx + i, dx, out.accumulate_dx);
    }
    if (out.dresidual) store_gradient<V>(out.dresidual + i, g, out.accumulate_dresidual);
  }
}

template <class T>
void run_forward(CudaStream stream, const ForwardArgs& args) {
  const Shape& s = args.x.shape;
  const std::int64_t pixels = s.n * s.pixels();
  const Apply<T> apply{.x = args.x.as<T>(),
                       .residual = args.residual ? args.residual.as<T>() : nullptr,
                       .y = args.y.as<T>(),
                       .scale = args.scale,
                       .offset = args.offset,
                       .mean = args.mean,
                       .rstd = args.rstd,
                       .relu = args.attr.relu};
  moments::moments(stream, apply.x, 1, pixels, s.c, args.attr.eps, static_cast<float*>(args.workspace),
                   args.mean, args.rstd, {args.running_mean, args.running_variance, args.attr.momentum});
  const int vector =
      vector_width<T>(s.c, apply.x, apply.residual, apply.y, args.scale, args.offset, args.mean, args.rstd);
  const ChannelGrid g = pick_channel_grid(1, pixels, s.c, vector, kBlocks);
  launch("batch_norm_apply", vector == 1 ? apply_kernel<T, 1> : apply_kernel<T, 16 / int(sizeof(T))>,
         grid_of(g), dim3(g.threads()), 0, stream, apply, g);
}

template <class T>
void run_backward(CudaStream stream, const BackwardArgs& args) {
  constexpr int kVector = 16 / static_cast<int>(sizeof(T));
  const Shape& s = args.x.shape;
  const std::int64_t pixels = s.n * s.pixels();
  const bool want_dx = args.dx_mode != GradientMode::Ignore;
  const bool want_parameters = args.param_mode != GradientMode::Ignore;
  const Inputs<T> inputs{.x = args.x.as<T>(),
                         .y = args.attr.relu ? args.y.as<T>() : nullptr,
                         .dy = args.dy.as<T>(),
                         .scale = args.scale,
                         .mean = args.mean,
                         .rstd = args.rstd};
  float* partial = static_cast<float*>(args.workspace);
  float* coefficients = partial + moments::num_chunks(1, pixels, s.c) * 2 * s.c;
  const Outputs<T> outputs{
      .coefficients = coefficients,
      .dx = want_dx ? args.dx.as<T>() : nullptr,
      .dresidual = args.dresidual_mode != GradientMode::Ignore ? args.dresidual.as<T>() : nullptr,
      .accumulate_dx = args.dx_mode == GradientMode::Accumulate,
      .accumulate_dresidual = args.dresidual_mode == GradientMode::Accumulate};
  const int vector = vector_width<T>(s.c, inputs.x, inputs.y, inputs.dy, args.scale, args.mean, args.rstd,
                                     coefficients, outputs.dx, outputs.dresidual);
  if (want_dx || want_parameters) {
    const ChannelGrid g = moments::reduction_grid(1, pixels, s.c, vector);
    launch("batch_norm_sums", vector == 1 ? sums_kernel<T, 1> : sums_kernel<T, kVector>, grid_of(g),
           dim3(g.threads()), 2 * rows_bytes(g), stream, inputs, partial, g);
    launch("instance_norm_finish_sums", moments::finish_sums_kernel,
           dim3(blocks_for(s.c, moments::kFinishChannels)),
           dim3(moments::kFinishChannels, moments::kFinishRows), 0, stream, partial, args.rstd, coefficients,
           want_parameters ? args.dscale : nullptr, args.doffset, args.param_mode == GradientMode::Accumulate,
           false, g);
  }
  if (!outputs.dx && !outputs.dresidual) return;
  const ChannelGrid g = pick_channel_grid(1, pixels, s.c, vector, kBlocks);
  launch("batch_norm_dx", vector == 1 ? dx_kernel<T, 1> : dx_kernel<T, kVector>, grid_of(g),
         dim3(g.threads()), 0, stream, inputs, outputs, g);
}

}  // namespace

std::int64_t forward_workspace_bytes(const Shape& x) {
  return moments::moments_workspace_bytes(1, x.n * x.pixels(), x.c);
}
std::int64_t backward_workspace_bytes(const Shape& x) {
  return (moments::num_chunks(1, x.n * x.pixels(), x.c) + 1) * 2 * x.c * std::int64_t(sizeof(float));
}

void forward(CudaStream stream, const ForwardArgs& args) {
  require(args.x.shape.n * args.x.shape.pixels() <= 0x7fffffff, "batch_norm: x {} is too large",
          to_string(args.x.shape));
  visit_dtype(args.x.dtype, [&](auto zero) { run_forward<decltype(zero)>(stream, args); });
}

void backward(CudaStream stream, const BackwardArgs& args) {
  visit_dtype(args.x.dtype, [&](auto zero) { run_backward<decltype(zero)>(stream, args); });
}

}  // namespace chiaro::batch_norm::training::cuda
