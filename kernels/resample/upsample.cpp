#include "kernels/resample/upsample.hpp"

#include "kernels/base/on_device.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/resample/upsample_cuda.hpp"

namespace chiaro::upsample {

namespace {

Shape doubled(const Shape& s) {
  return {s.n, 2 * s.h, 2 * s.w, s.c};
}

}  // namespace

void upsample_nearest_forward(Context& context, ConstTensorView x, TensorView y) {
  check_present("upsample forward", "x", x);
  check_tensor("upsample forward", "y", y, x.dtype, doubled(x.shape));
  on_device(
      context, [&] { cpu::upsample_nearest_forward(x, y); },
      [&](auto stream) { cuda::upsample_nearest_forward(stream, x, y); });
}

void upsample_nearest_backward(Context& context, ConstTensorView dy, TensorView dx, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_present("upsample backward", "dx", dx);
  check_tensor("upsample backward", "dy", dy, dx.dtype, doubled(dx.shape));
  const bool accumulate = mode == GradientMode::Accumulate;
  on_device(
      context, [&] { cpu::upsample_nearest_backward(dy, dx, accumulate); },
      [&](auto stream) { cuda::upsample_nearest_backward(stream, dy, dx, accumulate); });
}

void fold_weights(Context& context, const float* w, std::int64_t k, std::int64_t c, float* w4) {
  require(w && w4 && k > 0 && c > 0, "upsample fold_weights: missing weights, or {} x {} channels", k, c);
  on_device(
      context, [&] { cpu::fold_weights(w, k, c, w4); },
      [&](auto stream) { cuda::fold_weights(stream, w, k, c, w4); });
}

void unfold_gradient(Context& context, const float* dw4, std::int64_t k, std::int64_t c, float* dw,
                     GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  require(dw4 && dw && k > 0 && c > 0, "upsample unfold_gradient: missing gradients, or {} x {} channels", k,
          c);
  const bool accumulate = mode == GradientMode::Accumulate;
  on_device(
      context, [&] { cpu::unfold_gradient(dw4, k, c, dw, accumulate); },
      [&](auto stream) { cuda::unfold_gradient(stream, dw4, k, c, dw, accumulate); });
}

}  // namespace chiaro::upsample
