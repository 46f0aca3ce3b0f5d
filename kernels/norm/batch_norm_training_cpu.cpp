// The batch is one long row of pixels, worked on in blocks: statistics or sums first, then every element.
#include "kernels/base/blocks.hpp"
#include "kernels/norm/batch_norm_training.hpp"
#include "kernels/norm/instance_norm.hpp"
#include "kernels/norm/lanes.hpp"

namespace chiaro::batch_norm::training::cpu {

namespace {

using instance_norm::ChannelSlice;
using instance_norm::expand;
using instance_norm::fold;
using instance_norm::for_each_group;
using instance_norm::for_each_slice;
using instance_norm::kLanes;
using instance_norm::NormLanes;

std::int64_t batch_pixels(const Shape& s) {
  return s.n * s.pixels();
}
std::int64_t block_pixels(const Shape& s) {
  return std::max<std::int64_t>(1, kElementBlock / s.c);
}
std::int64_t num_blocks(const Shape& s) {
  return divide_up(batch_pixels(s), block_pixels(s));
}

// Calls body(block, offset, pixels) in parallel for every block; offset is that of its first element.
template <class Body>
void for_each_block(const Shape& s, Body&& body) {
  parallel_blocks(batch_pixels(s), block_pixels(s),
                  [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
                    body(block, begin * s.c, end - begin);
                  });
}

// The batch as one picture.
Shape as_picture(const Shape& s) {
  return {1, s.n * s.h, s.w, s.c};
}

void update_running(const ForwardArgs& args, const instance_norm::Moments& moments) {
  const double momentum = args.attr.momentum, keep = 1 - momentum;
  for (std::int64_t c = 0; c < args.x.shape.c; ++c) {
    const double variance = moments.m2[c] / double(moments.count - 1);
    args.running_mean[c] = float(keep * args.running_mean[c] + momentum * moments.mean[c]);
    args.running_variance[c] = float(keep * args.running_variance[c] + momentum * variance);
  }
}

// residual may be null.
template <bool kRelu, bool kResidual, class T>
void normalize(const ChannelSlice& slice, const NormLanes& norm, std::int64_t c, std::int64_t pixels,
               const T* x, const T* residual, T* y) {
  for_each_group(slice, c, pixels, [&](std::int64_t offset, std::int64_t lanes) {
#pragma omp simd
    for (std::int64_t l = 0; l < lanes; ++l) {
      float value = norm.z(l, x[offset + l]);
      if constexpr (kResidual) value += float(residual[offset + l]);
      if constexpr (kRelu) value = value < 0.0f ? 0.0f : value;
      store(y[offset + l], value);
    }
  });
}

template <class T>
void normalize_batch(const ForwardArgs& args) {
  const Shape& s = args.x.shape;
  const T* x = args.x.as<T>();
  const T* residual = args.residual ? args.residual.as<T>() : nullptr;
  T* y = args.y.as<T>();
  for_each_block(s, [&](std::int64_t, std::int64_t at, std::int64_t pixels) {
    for_each_slice(s.c, [&](const ChannelSlice& slice) {
      const NormLanes norm(slice, args.scale, args.offset, args.mean, args.rstd);
      const auto run = args.attr.relu ? (residual ? normalize<true, true, T> : normalize<true, false, T>)
                                      : (residual ? normalize<false, true, T> : normalize<false, false, T>);
      run(slice, norm, s.c, pixels, x + at, residual ? residual + at : nullptr, y + at);
    });
  });
}

// A run of pixels in backward. y is read only with kMask.
template <class T>
struct Run {
  std::int64_t pixels, c;
  const T *x, *y, *dy;
};

// dy where the ReLU let the value through, else 0.
template <bool kMask, class T>
float masked(T y, T dy) {
  return !kMask || float(y) > 0.0f ? float(dy) : 0.0f;
}

// sums: (2,C) = sum of g, sum of g * (x - mean)
template <bool kMask, class T>
void run_sums(const Run<T>& run, const ChannelSlice& slice, const float* mean_c, double* sums) {
  alignas(64) float mean[kLanes], sum_g[kLanes] = {}, sum_gx[kLanes] = {};
  expand(slice, mean, [=](std::int64_t k) { return mean_c[k]; });
  const T *x = run.x, *y = kMask ? run.y : run.dy, *dy = run.dy;
  for_each_group(slice, run.c, run.pixels, [&](std::int64_t offset, std::int64_t lanes) {
#pragma omp simd
    for (std::int64_t l = 0; l < lanes; ++l) {
      const float g = masked<kMask>(y[offset + l], dy[offset + l]);
      sum_g[l] += g;
      sum_gx[l] += g * (float(x[offset + l]) - mean[l]);
    }
  });
  for (std::int64_t k = 0; k < slice.channels; ++k) {
    sums[slice.first + k] = fold(slice, sum_g, k);
    sums[run.c + slice.first + k] = fold(slice, sum_gx, k);
  }
}

// dx (+)= factor * (g - mean_g - (x - mean) * slope), lane by lane.
struct GradientLanes {
  alignas(64) float mean[kLanes], factor[kLanes], mean_g[kLanes], slope[kLanes];
};

template <bool kMask, bool kAccumulate, class T>
void run_dx(const Run<T>& run, const ChannelSlice& slice, const GradientLanes& lane, T* dx) {
  const T *x = run.x, *y = kMask ? run.y : run.dy, *dy = run.dy;
  for_each_group(slice, run.c, run.pixels, [&](std::int64_t offset, std::int64_t lanes) {
#pragma omp simd
    for (std::int64_t l = 0; l < lanes; ++l) {
      const float centered = masked<kMask>(y[offset + l], dy[offset + l]) - lane.mean_g[l] -
                             (float(x[offset + l]) - lane.mean[l]) * lane.slope[l];
      store_gradient(dx[offset + l], lane.factor[l] * centered, kAccumulate);
    }
  });
}

template <bool kMask, bool kAccumulate, class T>
void run_dresidual(const Run<T>& run, T* dresidual) {
  const T *y = kMask ? run.y : run.dy, *dy = run.dy;
#pragma omp simd
  for (std::int64_t i = 0; i < run.pixels * run.c; ++i)
    store_gradient(dresidual[i], masked<kMask>(y[i], dy[i]), kAccumulate);
}

template <class T, bool kMask>
class Backward {
 public:
  explicit Backward(const BackwardArgs& args)
      : args_(args),
        s_(args.x.shape),
        sum_g_(static_cast<double*>(args.workspace)),
        sum_gx_(sum_g_ + args.x.shape.c) {}

  void run() const {
    const bool want_parameters = args_.param_mode != GradientMode::Ignore;
    const bool want_dx = args_.dx_mode != GradientMode::Ignore;
    const bool want_residual = args_.dresidual_mode != GradientMode::Ignore;
    if (want_parameters || want_dx) add_up();
    if (want_parameters) write_parameters();
    for_each_block(s_, [&](std::int64_t, std::int64_t at, std::int64_t pixels) {
      const Run<T> part = run_at(at, pixels);
      if (want_dx) write_dx(part, args_.dx.as<T>() + at);
      if (!want_residual) return;
      T* dresidual = args_.dresidual.as<T>() + at;
      args_.dresidual_mode == GradientMode::Accumulate ? run_dresidual<kMask, true>(part, dresidual)
                                                       : run_dresidual<kMask, false>(part, dresidual);
    });
  }

 private:
  Run<T> run_at(std::int64_t at, std::int64_t pixels) const {
    return {.pixels = pixels,
            .c = s_.c,
            .x = args_.x.as<T>() + at,
            .y = kMask ? args_.y.as<T>() + at : nullptr,
            .dy = args_.dy.as<T>() + at};
  }

  // Sums over the batch, left in sum_g_ and sum_gx_: those of block 0.
  void add_up() const {
    const std::int64_t c = s_.c;
    for_each_block(s_, [&](std::int64_t block, std::int64_t at, std::int64_t pixels) {
      for_each_slice(c, [&](const ChannelSlice& slice) {
        run_sums<kMask>(run_at(at, pixels), slice, args_.mean, sum_g_ + block * 2 * c);
      });
    });
    for (std::int64_t block = 1; block < num_blocks(s_); ++block) {
      const double* sums = sum_g_ + block * 2 * c;
#pragma omp simd
      for (std::int64_t k = 0; k < 2 * c; ++k) sum_g_[k] += sums[k];
    }
  }

  void write_parameters() const {
    const bool accumulate = args_.param_mode == GradientMode::Accumulate;
    for (std::int64_t k = 0; k < s_.c; ++k) {
      store_gradient(args_.dscale[k], float(sum_gx_[k] * double(args_.rstd[k])), accumulate);
      store_gradient(args_.doffset[k], float(sum_g_[k]), accumulate);
    }
  }

  void write_dx(const Run<T>& part, T* dx) const {
    const double pixels = double(batch_pixels(s_));
    for_each_slice(s_.c, [&](const ChannelSlice& slice) {
      GradientLanes lane;
      expand(slice, lane.mean, [&](std::int64_t k) { return args_.mean[k]; });
      expand(slice, lane.factor, [&](std::int64_t k) { return args_.scale[k] * args_.rstd[k]; });
      expand(slice, lane.mean_g, [&](std::int64_t k) { return float(sum_g_[k] / pixels); });
      expand(slice, lane.slope, [&](std::int64_t k) {
        const double rstd = args_.rstd[k];
        return float(sum_gx_[k] * rstd * rstd / pixels);
      });
      args_.dx_mode == GradientMode::Accumulate ? run_dx<kMask, true>(part, slice, lane, dx)
                                                : run_dx<kMask, false>(part, slice, lane, dx);
    });
  }

  const BackwardArgs& args_;
  const Shape s_;
  double *sum_g_, *sum_gx_;  // (C) each; the workspace is (blocks, 2, C)
};

}  // namespace

// The moments of the batch, (2,C), then the workspace of the op that computes them.
std::int64_t forward_workspace_bytes(const Shape& x) {
  return 2 * x.c * std::int64_t(sizeof(double)) + instance_norm::moments_workspace_bytes(as_picture(x));
}

std::int64_t backward_workspace_bytes(const Shape& x) {
  return num_blocks(x) * 2 * x.c * std::int64_t(sizeof(double));
}

void forward(Context& context, const ForwardArgs& args) {
  const Shape& s = args.x.shape;
  double* mean = static_cast<double*>(args.workspace);
  instance_norm::Moments moments{mean, mean + s.c, 0};
  instance_norm::accumulate_moments(context, {args.x.data, args.x.dtype, as_picture(s)}, moments,
                                    mean + 2 * s.c);
  instance_norm::finish_moments(moments, s.c, args.attr.eps, args.mean, args.rstd);
  if (args.running_mean) update_running(args, moments);
  visit_dtype(args.x.dtype, [&](auto zero) { normalize_batch<decltype(zero)>(args); });
}

void backward(const BackwardArgs& args) {
  visit_dtype(args.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    args.attr.relu ? Backward<T, true>(args).run() : Backward<T, false>(args).run();
  });
}

}  // namespace chiaro::batch_norm::training::cpu
