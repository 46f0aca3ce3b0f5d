#include "kernels/norm/instance_norm_cuda.hpp"

#include "kernels/cuda/device_pad.cuh"
#include "kernels/norm/moments_cuda.cuh"

namespace chiaro::instance_norm::cuda {

namespace {

constexpr int kApplyBlocks = 528;  // four on each multiprocessor of an H100

template <class T>
struct Apply {
  const T* __restrict__ x, * __restrict__ residual;
  T* __restrict__ y;
  const float* __restrict__ gamma, * __restrict__ beta, * __restrict__ mean, * __restrict__ rstd;
  PictureBorder border;
  int residual_top, residual_left, residual_w;
  std::int64_t residual_picture;  // elements of one picture
  bool relu, per_picture;
};

// Runs over the pixels of y, its border included.
template <class T, int V>
__global__ void __launch_bounds__(ChannelGrid::kThreads, 2) apply_kernel(Apply<T> a, ChannelGrid g) {
  const ChannelPlace place(g);
  if (!place.active) return;
  const int n = blockIdx.z, c = place.channel, H = a.border.rows.extent, W = a.border.columns.extent;
  float mean[V], scale[V], beta[V], rstd[V];
  load<V>(a.mean + n * g.channels + c, mean);
  load<V>(a.rstd + n * g.channels + c, rstd);
  const int parameters = (a.per_picture ? n * g.channels : 0) + c;
  load<V>(a.gamma + parameters, scale);
  load<V>(a.beta + parameters, beta);
  CHIARO_UNROLL
  for (int k = 0; k < V; ++k) scale[k] *= rstd[k];

  const T* x = a.x + std::int64_t(n) * H * W * g.channels + c;
  const T* residual = a.residual ? a.residual + n * a.residual_picture + c : nullptr;
  T* y = a.y + std::int64_t(n) * g.pixels * g.channels + c;
  const int outer_w = a.border.columns.outer();
  for (int p = place.begin + place.row; p < place.end; p += g.rows) {
    const int h = a.border.rows.source(p / outer_w), w = a.border.columns.source(p % outer_w);
    float v[V];
    load<V>(x + (std::int64_t(h) * W + w) * g.channels, v);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      v[k] = fmaf(scale[k], v[k] - mean[k], beta[k]);
      if (a.relu && v[k] < 0) v[k] = 0;  // keeps NaN
    }
    if (residual) {
      float r[V];
      load<V>(residual + (std::int64_t(h + a.residual_top) * a.residual_w + w + a.residual_left) * g.channels,
              r);
      CHIARO_UNROLL
      for (int k = 0; k < V; ++k) v[k] += r[k];
    }
    store<V>(y + std::int64_t(p) * g.channels, v);
  }
}

template <class T>
void run(CudaStream stream, const ForwardArgs& args) {
  const Shape& s = args.x.shape;
  const Pad& res = args.attr.residual_pad;
  const Shape outer = args.attr.out_pad.outer(s), res_outer = res.outer(s);
  const T* residual = args.residual ? args.residual.as<T>() : nullptr;
  const Apply<T> apply{.x = args.x.as<T>(),
                       .residual = residual,
                       .y = args.y.as<T>(),
                       .gamma = args.gamma,
                       .beta = args.beta,
                       .mean = args.mean,
                       .rstd = args.rstd,
                       .border = picture_pad(args.attr.out_pad, s),
                       .residual_top = int(res.top),
                       .residual_left = int(res.left),
                       .residual_w = int(res_outer.w),
                       .residual_picture = res_outer.pixels() * res_outer.c,
                       .relu = args.attr.relu,
                       .per_picture = args.attr.per_picture};
  moments(stream, apply.x, s.n, s.pixels(), s.c, args.attr.eps, static_cast<float*>(args.workspace),
          args.mean, args.rstd);
  const int vector =
      vector_width<T>(s.c, apply.x, residual, apply.y, args.gamma, args.beta, args.mean, args.rstd);
  const ChannelGrid g = pick_channel_grid(s.n, outer.pixels(), s.c, vector, kApplyBlocks);
  launch("instance_norm_apply", vector == 1 ? apply_kernel<T, 1> : apply_kernel<T, 16 / int(sizeof(T))>,
         grid_of(g), dim3(g.threads()), 0, stream, apply, g);
}

}  // namespace

std::int64_t forward_workspace_bytes(const Shape& x) {
  return moments_workspace_bytes(x.n, x.pixels(), x.c);
}

void forward(CudaStream stream, const ForwardArgs& args) {
  visit_dtype(args.x.dtype, [&](auto zero) { run<decltype(zero)>(stream, args); });
}

}  // namespace chiaro::instance_norm::cuda
