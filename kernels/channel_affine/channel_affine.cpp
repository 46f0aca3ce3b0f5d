#include "kernels/channel_affine/channel_affine.hpp"

#include "kernels/channel_affine/channel_affine_cuda.hpp"
#include "kernels/common/on_device.hpp"

namespace chiaro::channel_affine {

namespace {

void check_pair(ConstTensorView from, const char* from_name, ConstTensorView to, const char* to_name) {
  require(from && to, "channel_affine: {} and {} must both be given", from_name, to_name);
  require(to.shape == from.shape, "channel_affine: {} has shape {}, expected {} as {}", to_name,
          to_string(to.shape), to_string(from.shape), from_name);
  require(from.shape.c > 0, "channel_affine: {} {} has no channels", from_name, to_string(from.shape));
}

}  // namespace

void forward(Context& context, ConstTensorView x, const float* mean, const float* scale, TensorView y) {
  check_pair(x, "x", y, "y");
  require(mean && scale, "channel_affine: mean and scale must both be given");
  on_device(
      context, [&] { cpu::forward(x, mean, scale, y); },
      [&](auto stream) { cuda::forward(stream, x, mean, scale, y); });
}

void backward(Context& context, ConstTensorView dy, const float* scale, TensorView dx, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_pair(dy, "dy", dx, "dx");
  require(scale != nullptr, "channel_affine: scale must be given");
  on_device(
      context, [&] { cpu::backward(dy, scale, dx, mode == GradientMode::Accumulate); },
      [&](auto stream) { cuda::backward(stream, dy, scale, dx, mode == GradientMode::Accumulate); });
}

}  // namespace chiaro::channel_affine
