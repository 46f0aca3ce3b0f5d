#include <cmath>

#include "kernels/base/blocks.hpp"
#include "kernels/norm/batch_norm.hpp"

namespace chiaro::batch_norm::cpu {

namespace {

// Repeated scale / sqrt(variance + eps).
std::vector<float> slopes(const Parameters& b, std::int64_t channels, const ChannelPattern& pattern) {
  std::vector<float> slope(static_cast<std::size_t>(channels));
  for (std::int64_t c = 0; c < channels; ++c)
    slope[c] = static_cast<float>(b.scale[c] / std::sqrt(double(b.variance[c]) + b.eps));
  return pattern.repeat(slope.data(), channels);
}

}  // namespace

void forward(ConstTensorView x, const Parameters& b, TensorView y) {
  const ChannelPattern pattern(x.shape.c);
  const auto slope = slopes(b, x.shape.c, pattern);
  const auto mean = pattern.repeat(b.mean, x.shape.c), offset = pattern.repeat(b.offset, x.shape.c);
  visit_dtype(x.dtype, [&](auto zx) {
    visit_dtype(y.dtype, [&](auto zy) {
      const auto* from = x.as<decltype(zx)>();
      auto* to = y.as<decltype(zy)>();
      pattern.for_each_run(x.shape.count(), [&](std::int64_t start, std::int64_t length) {
        const float *k = slope.data(), *m = mean.data(), *o = offset.data();
        const bool relu = b.relu;
#pragma omp simd
        for (std::int64_t i = 0; i < length; ++i) {
          const float value = (float(from[start + i]) - m[i]) * k[i] + o[i];
          store(to[start + i], relu & (value < 0.f) ? 0.f : value);
        }
      });
    });
  });
}

namespace {

// y is null when everything passes.
template <class Y, class D, class X>
void backward_run(const Y* y, const D* dy, const float* slope, X* dx, bool accumulate, std::int64_t length) {
#pragma omp simd
  for (std::int64_t i = 0; i < length; ++i) {
    const float gradient = !y || float(y[i]) > 0.f ? float(dy[i]) * slope[i] : 0.f;
    store_gradient(dx[i], gradient, accumulate);
  }
}

}  // namespace

void backward(ConstTensorView y, ConstTensorView dy, const Parameters& b, TensorView dx, bool accumulate) {
  const ChannelPattern pattern(dy.shape.c);
  const auto slope = slopes(b, dy.shape.c, pattern);
  visit_dtype(y.dtype, [&](auto zy) {
    visit_dtype(dy.dtype, [&](auto zd) {
      visit_dtype(dx.dtype, [&](auto zx) {
        const auto* mask = b.relu ? y.as<decltype(zy)>() : nullptr;
        const auto* from = dy.as<decltype(zd)>();
        auto* to = dx.as<decltype(zx)>();
        pattern.for_each_run(dy.shape.count(), [&](std::int64_t i, std::int64_t length) {
          backward_run(mask ? mask + i : nullptr, from + i, slope.data(), to + i, accumulate, length);
        });
      });
    });
  });
}

}  // namespace chiaro::batch_norm::cpu

namespace chiaro::batch_norm {

void fold(const float* w, const float* bias, std::int64_t filters, std::int64_t filter_size,
          const float* scale, const float* offset, const float* mean, const float* variance, float eps,
          float* w_out, float* b_out) {
  require(w && scale && offset && mean && variance && w_out && b_out,
          "batch_norm: fold needs everything but the bias");
  require(filters > 0 && filter_size > 0, "batch_norm: fold of {} filters of {} weights", filters,
          filter_size);
  for (std::int64_t k = 0; k < filters; ++k) {
    const double a = double(scale[k]) / std::sqrt(double(variance[k]) + eps);
    b_out[k] = static_cast<float>(((bias ? double(bias[k]) : 0.0) - mean[k]) * a + offset[k]);
    for (std::int64_t i = 0; i < filter_size; ++i)
      w_out[k * filter_size + i] = static_cast<float>(w[k * filter_size + i] * a);
  }
}

}  // namespace chiaro::batch_norm
