#include "kernels/channel_affine/channel_affine.hpp"

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
  switch (context.device()) {
    case Device::Cpu:
      return cpu::forward(x, mean, scale, y);
    case Device::Cuda:
      throw Error("channel_affine: there is no CUDA implementation yet");
  }
}

void backward(Context& context, ConstTensorView dy, const float* scale, TensorView dx, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_pair(dy, "dy", dx, "dx");
  require(scale != nullptr, "channel_affine: scale must be given");
  switch (context.device()) {
    case Device::Cpu:
      return cpu::backward(dy, scale, dx, mode == GradientMode::Accumulate);
    case Device::Cuda:
      throw Error("channel_affine: there is no CUDA implementation yet");
  }
}

}  // namespace chiaro::channel_affine
