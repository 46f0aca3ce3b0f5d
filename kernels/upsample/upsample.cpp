#include "kernels/upsample/upsample.hpp"

#include "kernels/common/rows.hpp"

namespace chiaro::upsample {

namespace {

Shape doubled(const Shape& s) {
  return {s.n, 2 * s.h, 2 * s.w, s.c};
}

}  // namespace

void upsample_nearest_forward(Context& context, ConstTensorView x, TensorView y) {
  check_present("upsample forward", "x", x);
  check_tensor("upsample forward", "y", y, x.dtype, doubled(x.shape));
  switch (context.device()) {
    case Device::Cpu:
      return cpu::upsample_nearest_forward(x, y);
    case Device::Cuda:
      throw Error("upsample: there is no CUDA implementation yet");
  }
}

void upsample_nearest_backward(Context& context, ConstTensorView dy, TensorView dx, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_present("upsample backward", "dx", dx);
  check_tensor("upsample backward", "dy", dy, dx.dtype, doubled(dx.shape));
  switch (context.device()) {
    case Device::Cpu:
      return cpu::upsample_nearest_backward(dy, dx, mode == GradientMode::Accumulate);
    case Device::Cuda:
      throw Error("upsample: there is no CUDA implementation yet");
  }
}

void fold_weights(const float* w, std::int64_t k, std::int64_t c, float* w4) {
  require(w && w4 && k > 0 && c > 0, "upsample fold_weights: missing weights, or {} x {} channels", k, c);
  cpu::fold_weights(w, k, c, w4);
}

void unfold_gradient(const float* dw4, std::int64_t k, std::int64_t c, float* dw, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  require(dw4 && dw && k > 0 && c > 0, "upsample unfold_gradient: missing gradients, or {} x {} channels", k,
          c);
  cpu::unfold_gradient(dw4, k, c, dw, mode == GradientMode::Accumulate);
}

}  // namespace chiaro::upsample
