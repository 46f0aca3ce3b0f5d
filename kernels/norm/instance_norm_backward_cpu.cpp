#include "kernels/base/parallel.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/norm/instance_norm.hpp"
#include "kernels/norm/lanes.hpp"
#include "kernels/pad/pad.hpp"

namespace chiaro::instance_norm::cpu {

namespace {

constexpr std::int64_t num_blocks(const Shape& s) {
  const std::int64_t rows = rows_per_block(s.w, s.c);
  return (s.h + rows - 1) / rows;
}

// A block of rows of one picture. dy points into a padded picture.
template <class T>
struct Rows {
  std::int64_t rows, pixels, c;
  const T* x;
  const T* dy;
  std::int64_t x_stride, dy_stride;
};

// g = dy where the ReLU passes, else 0.
template <bool kRelu>
float masked(const NormLanes& norm, std::int64_t lane, float x, float dy) {
  return !kRelu || norm.z(lane, x) > 0.0f ? dy : 0.0f;
}

// sums: (2, C) = sum of g, sum of g * (x - mean)
template <bool kRelu, class T>
void block_sums(const Rows<T>& r, const ChannelSlice& slice, const NormLanes& norm, double* sums) {
  alignas(64) float sum_g[kLanes] = {}, sum_gx[kLanes] = {};
  for (std::int64_t row = 0; row < r.rows; ++row) {
    const T *x = r.x + row * r.x_stride, *dy = r.dy + row * r.dy_stride;
    for_each_group(slice, r.c, r.pixels, [&](std::int64_t offset, std::int64_t lanes) {
#pragma omp simd
      for (std::int64_t l = 0; l < lanes; ++l) {
        const float value = x[offset + l], g = masked<kRelu>(norm, l, value, dy[offset + l]);
        sum_g[l] += g;
        sum_gx[l] += g * (value - norm.mean[l]);
      }
    });
  }
  for (std::int64_t k = 0; k < slice.channels; ++k) {
    sums[slice.first + k] = fold(slice, sum_g, k);
    sums[r.c + slice.first + k] = fold(slice, sum_gx, k);
  }
}

// dx (+)= scale * (g - mean_g - (x - mean) * slope)
template <bool kRelu, bool kAccumulate, class T>
void block_dx(const Rows<T>& r, const ChannelSlice& slice, const NormLanes& norm, const float* mean_g,
              const float* slope, T* dx_rows) {
  for (std::int64_t row = 0; row < r.rows; ++row) {
    const T *x = r.x + row * r.x_stride, *dy = r.dy + row * r.dy_stride;
    T* dx = dx_rows + row * r.x_stride;
    for_each_group(slice, r.c, r.pixels, [&](std::int64_t offset, std::int64_t lanes) {
#pragma omp simd
      for (std::int64_t l = 0; l < lanes; ++l) {
        const float value = x[offset + l], g = masked<kRelu>(norm, l, value, dy[offset + l]);
        const float gradient = norm.scale[l] * (g - mean_g[l] - (value - norm.mean[l]) * slope[l]);
        store(dx[offset + l], kAccumulate ? float(dx[offset + l]) + gradient : gradient);
      }
    });
  }
}

template <class T>
class Backward {
 public:
  explicit Backward(const BackwardArgs& args)
      : args_(args),
        s_(args.x.shape),
        c_(s_.c),
        rows_(rows_per_block(s_.w, s_.c)),
        blocks_(num_blocks(s_)),
        outer_(args.attr.out_pad.outer(s_)) {}

  void run() {
    const bool want_dx = args_.dx_mode != GradientMode::Ignore;
    const bool want_parameters = args_.param_mode != GradientMode::Ignore;
    // Picture by picture, so that the second reading of x and dy may still find them in the last-level cache.
    for (std::int64_t n = 0; n < s_.n; ++n) {
      if (want_dx || want_parameters) reduce(n);
      if (want_parameters) add_parameters(n);
      if (want_dx) args_.attr.relu ? write_dx<true>(n) : write_dx<false>(n);
      if (args_.dresidual_mode != GradientMode::Ignore) write_residual(n);
    }
  }

 private:
  Rows<T> rows_of(std::int64_t n, std::int64_t block) const {
    const Pad& out = args_.attr.out_pad;
    const std::int64_t h = block * rows_;
    return {.rows = std::min(rows_, s_.h - h),
            .pixels = s_.w,
            .c = c_,
            .x = args_.x.as<T>() + (n * s_.h + h) * s_.w * c_,
            .dy = args_.dy.as<T>() + ((n * outer_.h + out.top + h) * outer_.w + out.left) * c_,
            .x_stride = s_.w * c_,
            .dy_stride = outer_.w * c_};
  }
  std::int64_t parameters_of(std::int64_t n) const { return args_.attr.per_picture ? n * c_ : 0; }
  NormLanes norm_of(std::int64_t n, const ChannelSlice& slice) const {
    return {slice, args_.gamma + parameters_of(n), args_.beta + parameters_of(n), args_.mean + n * c_,
            args_.rstd + n * c_};
  }
  double* partial(std::int64_t block) const { return static_cast<double*>(args_.workspace) + block * 2 * c_; }

  // Sums over one picture, left in partial(0).
  void reduce(std::int64_t n) const {
    parallel_for(blocks_, [&](std::int64_t block) {
      const Rows<T> r = rows_of(n, block);
      for_each_slice(c_, [&](const ChannelSlice& slice) {
        const NormLanes norm = norm_of(n, slice);
        args_.attr.relu ? block_sums<true>(r, slice, norm, partial(block))
                        : block_sums<false>(r, slice, norm, partial(block));
      });
    });
    for (std::int64_t block = 1; block < blocks_; ++block) {
#pragma omp simd
      for (std::int64_t k = 0; k < 2 * c_; ++k) partial(0)[k] += partial(block)[k];
    }
  }

  void add_parameters(std::int64_t n) const {
    const bool first = (n == 0 || args_.attr.per_picture) && args_.param_mode == GradientMode::Overwrite;
    const double *sum_g = partial(0), *sum_gx = sum_g + c_;
    float *to_gamma = args_.dgamma + parameters_of(n), *to_beta = args_.dbeta + parameters_of(n);
    for (std::int64_t k = 0; k < c_; ++k) {
      const float dgamma = float(sum_gx[k] * double(args_.rstd[n * c_ + k])), dbeta = float(sum_g[k]);
      to_gamma[k] = first ? dgamma : to_gamma[k] + dgamma;
      to_beta[k] = first ? dbeta : to_beta[k] + dbeta;
    }
  }

  template <bool kRelu>
  void write_dx(std::int64_t n) const {
    const bool accumulate = args_.dx_mode == GradientMode::Accumulate;
    const double *sum_g = partial(0), *sum_gx = sum_g + c_, pixels = double(s_.pixels());
    T* dx = args_.dx.as<T>() + n * s_.pixels() * c_;
    parallel_for(blocks_, [&](std::int64_t block) {
      const Rows<T> r = rows_of(n, block);
      T* dx_rows = dx + block * rows_ * s_.w * c_;
      for_each_slice(c_, [&](const ChannelSlice& slice) {
        const NormLanes norm = norm_of(n, slice);
        alignas(64) float mean_g[kLanes], slope[kLanes];
        expand(slice, mean_g, [&](std::int64_t k) { return float(sum_g[k] / pixels); });
        expand(slice, slope, [&](std::int64_t k) {
          const double rstd = args_.rstd[n * c_ + k];
          return float(sum_gx[k] * rstd * rstd / pixels);
        });
        accumulate ? block_dx<kRelu, true>(r, slice, norm, mean_g, slope, dx_rows)
                   : block_dx<kRelu, false>(r, slice, norm, mean_g, slope, dx_rows);
      });
    });
  }

  // dresidual (+)= dy in the interior; Overwrite zeroes the border.
  void write_residual(std::int64_t n) const {
    const Pad &out = args_.attr.out_pad, &res = args_.attr.residual_pad;
    const Shape residual_outer = res.outer(s_);
    const std::int64_t run = s_.w * c_;
    const bool accumulate = args_.dresidual_mode == GradientMode::Accumulate;
    parallel_for(residual_outer.h, [&](std::int64_t i) {
      T* row = args_.dresidual.as<T>() + (n * residual_outer.h + i) * residual_outer.w * c_;
      const std::int64_t h = i - res.top;
      const bool inside = h >= 0 && h < s_.h;
      if (!inside && !accumulate) zero_run(row, residual_outer.w * c_);
      if (!inside) return;
      const T* dy = args_.dy.as<T>() + ((n * outer_.h + out.top + h) * outer_.w + out.left) * c_;
      if (accumulate) return add_run(dy, row + res.left * c_, run);
      zero_run(row, res.left * c_);
      copy_run(dy, row + res.left * c_, run);
      zero_run(row + res.left * c_ + run, res.right * c_);
    });
  }

  const BackwardArgs& args_;
  const Shape s_;
  const std::int64_t c_, rows_, blocks_;
  const Shape outer_;
};

}  // namespace

std::int64_t backward_workspace_bytes(const Shape& x) {
  return num_blocks(x) * 2 * x.c * std::int64_t(sizeof(double));
}

void backward(Context& context, const BackwardArgs& args) {
  pad::fold_in_place(context, args.dy, args.attr.out_pad);
  visit_dtype(args.x.dtype, [&](auto zero) { Backward<decltype(zero)>(args).run(); });
}

}  // namespace chiaro::instance_norm::cpu
