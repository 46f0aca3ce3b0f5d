// Statistics and normalization. The gradients are in instance_norm_backward_cpu.cpp.
#include "kernels/base/parallel.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/norm/instance_norm.hpp"
#include "kernels/norm/lanes.hpp"
#include "kernels/pad/pad.hpp"

namespace chiaro::instance_norm::cpu {

namespace {

// Pixels of one block of the statistics: about 8 K elements, which stay in the first-level cache for both
// passes.
constexpr std::int64_t block_pixels(std::int64_t c) {
  return std::max<std::int64_t>(16, 8192 / c);
}
constexpr std::int64_t num_blocks(const Shape& s) {
  return (s.pixels() + block_pixels(s.c) - 1) / block_pixels(s.c);
}

// Mean and sum of squared deviations of a block of pixels: (pixels, C) into (C), (C).
//
// First pass: the mean in float. Second pass: sums of d = x - mean and d^2, both small, from which the
// rounding error of the first mean is removed in double.
template <class T>
void block_moments(const T* x, std::int64_t pixels, std::int64_t c, double* mean, double* m2) {
  for_each_slice(c, [&](const ChannelSlice& slice) {
    alignas(64) float center[kLanes], sum[kLanes] = {}, squares[kLanes] = {};
    for_each_group(slice, c, pixels, [&](std::int64_t offset, std::int64_t lanes) {
#pragma omp simd
      for (std::int64_t l = 0; l < lanes; ++l) sum[l] += float(x[offset + l]);
    });
    expand(slice, center,
           [&](std::int64_t k) { return float(fold(slice, sum, k - slice.first) / double(pixels)); });
    std::fill_n(sum, kLanes, 0.0f);
    for_each_group(slice, c, pixels, [&](std::int64_t offset, std::int64_t lanes) {
#pragma omp simd
      for (std::int64_t l = 0; l < lanes; ++l) {
        const float d = float(x[offset + l]) - center[l];
        sum[l] += d;
        squares[l] += d * d;
      }
    });
    for (std::int64_t k = 0; k < slice.channels; ++k) {
      const double d = fold(slice, sum, k), deviations = fold(slice, squares, k) - d * d / double(pixels);
      mean[slice.first + k] = double(center[k]) + d / double(pixels);
      m2[slice.first + k] = deviations < 0 ? 0 : deviations;
    }
  });
}

// Blocks of one picture into partial: (blocks, 2, C).
template <class T>
void picture_moments(const T* x, const Shape& s, double* partial) {
  const std::int64_t step = block_pixels(s.c);
  parallel_for(num_blocks(s), [=](std::int64_t block) {
    const std::int64_t begin = block * step;
    double* mean = partial + block * 2 * s.c;
    block_moments(x + begin * s.c, std::min(step, s.pixels() - begin), s.c, mean, mean + s.c);
  });
}

void merge_blocks(double* partial, const Shape& s, std::int64_t first_block, Moments& into) {
  const std::int64_t step = block_pixels(s.c);
  for (std::int64_t block = first_block; block < num_blocks(s); ++block) {
    double* mean = partial + block * 2 * s.c;
    merge_moments({mean, mean + s.c, std::min(step, s.pixels() - block * step)}, s.c, into);
  }
}

// `rows` rows of `pixels` pixels; consecutive rows of x, y and residual lie *_stride elements apart.
template <class T>
struct Rows {
  std::int64_t rows, pixels, c;
  const T* x;
  const T* residual;
  T* y;
  std::int64_t x_stride, residual_stride, y_stride;
};

template <bool kRelu, bool kResidual, class T>
void normalize(const Rows<T>& r, const ChannelSlice& slice, const NormLanes& norm) {
  for (std::int64_t row = 0; row < r.rows; ++row) {
    const T* x = r.x + row * r.x_stride;
    const T* residual = kResidual ? r.residual + row * r.residual_stride : nullptr;
    T* y = r.y + row * r.y_stride;
    for_each_group(slice, r.c, r.pixels, [&](std::int64_t offset, std::int64_t lanes) {
#pragma omp simd
      for (std::int64_t l = 0; l < lanes; ++l) {
        float value = norm.z(l, x[offset + l]);
        if constexpr (kRelu) value = value < 0.0f ? 0.0f : value;
        if constexpr (kResidual) value += float(residual[offset + l]);
        store(y[offset + l], value);
      }
    });
  }
}

template <class T>
void normalize_rows(const Rows<T>& r, const float* gamma, const float* beta, const float* mean,
                    const float* rstd, bool relu) {
  for_each_slice(r.c, [&](const ChannelSlice& slice) {
    const NormLanes norm(slice, gamma, beta, mean, rstd);
    if (r.residual) {
      relu ? normalize<true, true>(r, slice, norm) : normalize<false, true>(r, slice, norm);
    } else {
      relu ? normalize<true, false>(r, slice, norm) : normalize<false, false>(r, slice, norm);
    }
  });
}

// Picture by picture, so that the second reading of x may still find it in the last-level cache.
template <class T>
void forward_typed(const ForwardArgs& args) {
  const Shape& s = args.x.shape;
  const std::int64_t c = s.c, rows = rows_per_block(s.w, c);
  const Pad &out = args.attr.out_pad, &res = args.attr.residual_pad;
  const Shape outer = out.outer(s), residual_outer = res.outer(s);
  for (std::int64_t n = 0; n < s.n; ++n) {
    const T* x = args.x.as<T>() + n * s.pixels() * c;
    double* partial = static_cast<double*>(args.workspace);
    float *mean = args.mean + n * c, *rstd = args.rstd + n * c;
    const std::int64_t parameters = args.attr.per_picture ? n * c : 0;
    picture_moments(x, s, partial);
    Moments moments{partial, partial + c,
                    std::min(block_pixels(c), s.pixels())};  // block 0 becomes the total
    merge_blocks(partial, s, 1, moments);
    finish_moments(moments, c, args.attr.eps, mean, rstd);

    T* y = args.y.as<T>() + ((n * outer.h + out.top) * outer.w + out.left) * c;
    const T* residual =
        args.residual
            ? args.residual.as<T>() + ((n * residual_outer.h + res.top) * residual_outer.w + res.left) * c
            : nullptr;
    parallel_for((s.h + rows - 1) / rows, [&](std::int64_t block) {
      const std::int64_t h = block * rows;
      const Rows<T> part{.rows = std::min(rows, s.h - h),
                         .pixels = s.w,
                         .c = c,
                         .x = x + h * s.w * c,
                         .residual = residual ? residual + h * residual_outer.w * c : nullptr,
                         .y = y + h * outer.w * c,
                         .x_stride = s.w * c,
                         .residual_stride = residual_outer.w * c,
                         .y_stride = outer.w * c};
      normalize_rows(part, args.gamma + parameters, args.beta + parameters, mean, rstd, args.attr.relu);
    });
  }
}

template <class T>
void apply_typed(const ApplyArgs& args) {
  const Shape& s = args.x.shape;
  const std::int64_t row_size = s.w * s.c, rows = rows_per_block(s.w, s.c);
  const T* x = args.x.as<T>();
  const T* residual = args.residual ? args.residual.as<T>() : nullptr;
  T* y = args.y.as<T>();
  parallel_for((s.h + rows - 1) / rows, [&](std::int64_t block) {
    const std::int64_t h = block * rows, at = h * row_size;
    const Rows<T> part{.rows = std::min(rows, s.h - h),
                       .pixels = s.w,
                       .c = s.c,
                       .x = x + at,
                       .residual = residual ? residual + at : nullptr,
                       .y = y + at,
                       .x_stride = row_size,
                       .residual_stride = row_size,
                       .y_stride = row_size};
    normalize_rows(part, args.gamma, args.beta, args.mean, args.rstd, args.relu);
  });
}

}  // namespace

std::int64_t forward_workspace_bytes(const Shape& x) {
  return num_blocks(x) * 2 * x.c * std::int64_t(sizeof(double));
}

void forward(Context& context, const ForwardArgs& args) {
  visit_dtype(args.x.dtype, [&](auto zero) { forward_typed<decltype(zero)>(args); });
  pad::fill_in_place(context, args.y, args.attr.out_pad);
}

void accumulate_moments(ConstTensorView band, Moments& moments, void* workspace) {
  double* partial = static_cast<double*>(workspace);
  visit_dtype(band.dtype,
              [&](auto zero) { picture_moments(band.as<decltype(zero)>(), band.shape, partial); });
  merge_blocks(partial, band.shape, 0, moments);
}

void apply_rows(const ApplyArgs& args) {
  visit_dtype(args.x.dtype, [&](auto zero) { apply_typed<decltype(zero)>(args); });
}

}  // namespace chiaro::instance_norm::cpu
