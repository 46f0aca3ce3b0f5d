#include "kernels/channel_affine/channel_affine.hpp"
#include "kernels/common/blocks.hpp"

namespace chiaro::channel_affine::cpu {

void forward(ConstTensorView x, const float* mean, const float* scale, TensorView y) {
  const ChannelPattern pattern(x.shape.c);
  const auto means = pattern.repeat(mean, x.shape.c), scales = pattern.repeat(scale, x.shape.c);
  visit_dtype(x.dtype, [&](auto zx) {
    visit_dtype(y.dtype, [&](auto zy) {
      const auto* from = x.as<decltype(zx)>();
      auto* to = y.as<decltype(zy)>();
      pattern.for_each_run(x.shape.count(), [&](std::int64_t offset, std::int64_t length) {
        const float *m = means.data(), *k = scales.data();
#pragma omp simd
        for (std::int64_t i = 0; i < length; ++i)
          store(to[offset + i], (float(from[offset + i]) - m[i]) * k[i]);
      });
    });
  });
}

void backward(ConstTensorView dy, const float* scale, TensorView dx, bool accumulate) {
  const ChannelPattern pattern(dy.shape.c);
  const auto scales = pattern.repeat(scale, dy.shape.c);
  visit_dtype(dy.dtype, [&](auto zy) {
    visit_dtype(dx.dtype, [&](auto zx) {
      const auto* from = dy.as<decltype(zy)>();
      auto* to = dx.as<decltype(zx)>();
      pattern.for_each_run(dy.shape.count(), [&](std::int64_t offset, std::int64_t length) {
        const float* k = scales.data();
#pragma omp simd
        for (std::int64_t i = 0; i < length; ++i) {
          const float gradient = float(from[offset + i]) * k[i];
          store_gradient(to[offset + i], gradient, accumulate);
        }
      });
    });
  });
}

}  // namespace chiaro::channel_affine::cpu
