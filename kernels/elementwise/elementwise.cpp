#include "kernels/elementwise/elementwise.hpp"

#include "kernels/base/on_device.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/elementwise/map.hpp"

namespace chiaro {

namespace {

bool adds(GradientMode mode) {
  return mode == GradientMode::Accumulate;
}

// Throws Error unless `t` is there and has the shape of x, whatever its type.
void check_shape(const char* op, const char* name, const ConstTensorView& t, const Shape& x) {
  check_tensor(op, name, t, t.dtype, x);
}

template <class Op>
void map_elements(Context& context, const char* name, Op op, ConstTensorView x, TensorView y,
                  bool accumulate) {
  on_device(
      context, [&] { elementwise::cpu::map(op, x, y, accumulate); },
      [&](auto stream) { elementwise::cuda::map(name, stream, op, x, y, accumulate); });
}
template <class Op>
void map_elements(Context& context, const char* name, Op op, ConstTensorView a, ConstTensorView b,
                  TensorView y, bool accumulate) {
  on_device(
      context, [&] { elementwise::cpu::map(op, a, b, y, accumulate); },
      [&](auto stream) { elementwise::cuda::map(name, stream, op, a, b, y, accumulate); });
}
template <class Op>
void map_channels(Context& context, const char* name, Op op, ConstTensorView x, const float* mean,
                  const float* scale, TensorView y, bool accumulate) {
  on_device(
      context, [&] { elementwise::cpu::map_channels(op, x, mean, scale, y, accumulate); },
      [&](auto stream) { elementwise::cuda::map_channels(name, stream, op, x, mean, scale, y, accumulate); });
}

}  // namespace

void copy(Context& context, ConstTensorView x, TensorView y, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_present("copy", "x", x);
  check_shape("copy", "y", y, x.shape);
  map_elements(context, "copy", elementwise::Copy{}, x, y, adds(mode));
}

void relu_forward(Context& context, ConstTensorView x, TensorView y) {
  check_present("relu forward", "x", x);
  check_tensor("relu forward", "y", y, x.dtype, x.shape);
  map_elements(context, "relu_forward", elementwise::Relu{}, x, y, false);
}

void relu_backward(Context& context, ConstTensorView y, ConstTensorView dy, TensorView dx,
                   GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_present("relu backward", "y", y);
  check_tensor("relu backward", "dy", dy, y.dtype, y.shape);
  check_tensor("relu backward", "dx", dx, y.dtype, y.shape);
  require(!adds(mode) || dx.data != dy.data, "relu backward: dx is dy, but dx is to be added to");
  map_elements(context, "relu_backward", elementwise::ReluGradient{}, y, dy, dx, adds(mode));
}

void tanh_output_forward(Context& context, ConstTensorView x, TensorView y) {
  check_present("tanh_output forward", "x", x);
  check_shape("tanh_output forward", "y", y, x.shape);
  map_elements(context, "tanh_output_forward", elementwise::TanhOutput{}, x, y, false);
}

void tanh_output_backward(Context& context, ConstTensorView y, ConstTensorView dy, TensorView dx,
                          GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_present("tanh_output backward", "y", y);
  check_shape("tanh_output backward", "dy", dy, y.shape);
  check_shape("tanh_output backward", "dx", dx, y.shape);
  map_elements(context, "tanh_output_backward", elementwise::TanhOutputGradient{}, y, dy, dx, adds(mode));
}

void channel_affine_forward(Context& context, ConstTensorView x, const float* mean, const float* scale,
                            TensorView y) {
  check_present("channel_affine forward", "x", x);
  check_shape("channel_affine forward", "y", y, x.shape);
  require(mean && scale, "channel_affine forward: mean and scale must both be given");
  map_channels(context, "channel_affine_forward", elementwise::ChannelAffine{}, x, mean, scale, y, false);
}

void channel_affine_backward(Context& context, ConstTensorView dy, const float* scale, TensorView dx,
                             GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_present("channel_affine backward", "dy", dy);
  check_shape("channel_affine backward", "dx", dx, dy.shape);
  require(scale != nullptr, "channel_affine backward: scale must be given");
  map_channels(context, "channel_affine_backward", elementwise::ChannelAffineGradient{}, dy, scale, scale, dx,
               adds(mode));
}

}  // namespace chiaro
