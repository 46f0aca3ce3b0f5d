#include "kernels/losses/losses.hpp"

#include "kernels/common/on_device.hpp"
#include "kernels/losses/losses_cuda.hpp"

namespace chiaro::losses {

namespace {

void check_pair(ConstTensorView a, ConstTensorView b) {
  require(a && b, "mse: a and b must both be given");
  require(a.shape.count() > 0, "mse: a {} is empty", to_string(a.shape));
  Shape expected = a.shape;
  if (b.shape.n == 1) expected.n = 1;
  require(b.shape == expected, "mse: b has shape {}, expected {} or the same with one picture",
          to_string(b.shape), to_string(a.shape));
}

void check_gradient(const char* op, ConstTensorView x, TensorView dx) {
  require(dx && dx.shape == x.shape, "{}: the gradient has shape {}, expected {}", op, to_string(dx.shape),
          to_string(x.shape));
}

void check_picture(ConstTensorView x) {
  require(x.data != nullptr, "total_variation: x must be given");
  require(x.shape.count() > 0, "total_variation: x {} is empty", to_string(x.shape));
}

}  // namespace

std::int64_t mse_workspace_bytes(const Context& context, Shape a) {
  return on_device(
      context, [&] { return cpu::mse_workspace_bytes(a); }, [&](auto) { return cuda::workspace_bytes(); });
}

void mse_forward(Context& context, ConstTensorView a, ConstTensorView b, double scale, float* value,
                 void* workspace) {
  check_pair(a, b);
  require(value && workspace, "mse: value and a workspace of {} bytes are needed",
          mse_workspace_bytes(context, a.shape));
  on_device(
      context, [&] { cpu::mse_forward(a, b, scale, value, workspace); },
      [&](auto stream) { cuda::mse(stream, a, b, scale, value, {}, GradientMode::Ignore, workspace); });
}

void mse_backward(Context& context, ConstTensorView a, ConstTensorView b, double scale, TensorView da,
                  GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_pair(a, b);
  check_gradient("mse", a, da);
  on_device(
      context, [&] { cpu::mse_backward(a, b, scale, da, mode == GradientMode::Accumulate); },
      [&](auto stream) { cuda::mse(stream, a, b, scale, nullptr, da, mode, nullptr); });
}

std::int64_t tv_workspace_bytes(const Context& context, Shape x) {
  return on_device(
      context, [&] { return cpu::tv_workspace_bytes(x); }, [&](auto) { return cuda::workspace_bytes(); });
}

void tv_forward(Context& context, ConstTensorView x, double scale, float* value, void* workspace) {
  check_picture(x);
  require(value && workspace, "total_variation: value and a workspace of {} bytes are needed",
          tv_workspace_bytes(context, x.shape));
  on_device(
      context, [&] { cpu::tv_forward(x, scale, value, workspace); },
      [&](auto stream) {
        cuda::total_variation(stream, x, scale, value, {}, GradientMode::Ignore, workspace);
      });
}

void tv_backward(Context& context, ConstTensorView x, double scale, TensorView dx, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_picture(x);
  check_gradient("total_variation", x, dx);
  on_device(
      context, [&] { cpu::tv_backward(x, scale, dx, mode == GradientMode::Accumulate); },
      [&](auto stream) { cuda::total_variation(stream, x, scale, nullptr, dx, mode, nullptr); });
}

}  // namespace chiaro::losses
