#include "kernels/losses/losses.hpp"

#include "kernels/base/on_device.hpp"
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

void require_value(const char* op, const float* value, const void* workspace, std::int64_t bytes) {
  require(value && workspace, "{}: value and a workspace of {} bytes are needed", op, bytes);
}

void check_picture(ConstTensorView x, const char* op = "total_variation") {
  require(x.data != nullptr, "{}: x must be given", op);
  require(x.shape.count() > 0, "{}: x {} is empty", op, to_string(x.shape));
}

}  // namespace

std::int64_t mse_workspace_bytes(const Context& context, Shape a) {
  return on_device(
      context, [&] { return cpu::mse_workspace_bytes(a); }, [&](auto) { return cuda::workspace_bytes(); });
}

void mse_forward(Context& context, ConstTensorView a, ConstTensorView b, double scale, float* value,
                 void* workspace) {
  check_pair(a, b);
  require_value("mse", value, workspace, mse_workspace_bytes(context, a.shape));
  on_device(
      context, [&] { cpu::mse_forward(a, b, scale, value, workspace); },
      [&](auto stream) { cuda::mse(stream, a, b, scale, 1, value, {}, GradientMode::Ignore, workspace); });
}

void mse_backward(Context& context, ConstTensorView a, ConstTensorView b, double scale, TensorView da,
                  GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_pair(a, b);
  check_gradient("mse", a, da);
  on_device(
      context, [&] { cpu::mse_backward(a, b, scale, da, mode == GradientMode::Accumulate); },
      [&](auto stream) { cuda::mse(stream, a, b, 1, scale, nullptr, da, mode, nullptr); });
}

std::int64_t tv_workspace_bytes(const Context& context, Shape x) {
  return on_device(
      context, [&] { return cpu::tv_workspace_bytes(x); }, [&](auto) { return cuda::workspace_bytes(); });
}

void tv_forward(Context& context, ConstTensorView x, double scale, float* value, void* workspace) {
  check_picture(x);
  require_value("total_variation", value, workspace, tv_workspace_bytes(context, x.shape));
  on_device(
      context, [&] { cpu::tv_forward(x, scale, value, workspace); },
      [&](auto stream) {
        cuda::total_variation(stream, x, scale, 1, value, {}, GradientMode::Ignore, workspace);
      });
}

void tv_backward(Context& context, ConstTensorView x, double scale, TensorView dx, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_picture(x);
  check_gradient("total_variation", x, dx);
  on_device(
      context, [&] { cpu::tv_backward(x, scale, dx, mode == GradientMode::Accumulate); },
      [&](auto stream) { cuda::total_variation(stream, x, 1, scale, nullptr, dx, mode, nullptr); });
}

void mse_forward_backward(Context& context, ConstTensorView a, ConstTensorView b, double scale, double weight,
                          float* value, void* workspace, TensorView da, GradientMode mode) {
  if (mode == GradientMode::Ignore) return mse_forward(context, a, b, scale, value, workspace);
  check_pair(a, b);
  check_gradient("mse", a, da);
  require_value("mse", value, workspace, mse_workspace_bytes(context, a.shape));
  const bool accumulate = mode == GradientMode::Accumulate;
  on_device(
      context, [&] { cpu::mse_forward_backward(a, b, scale, weight, value, workspace, da, accumulate); },
      [&](auto stream) { cuda::mse(stream, a, b, scale, weight, value, da, mode, workspace); });
}

void tv_forward_backward(Context& context, ConstTensorView x, double scale, double weight, float* value,
                         void* workspace, TensorView dx, GradientMode mode) {
  if (mode == GradientMode::Ignore) return tv_forward(context, x, scale, value, workspace);
  check_picture(x);
  check_gradient("total_variation", x, dx);
  require_value("total_variation", value, workspace, tv_workspace_bytes(context, x.shape));
  const bool accumulate = mode == GradientMode::Accumulate;
  on_device(
      context, [&] { cpu::tv_forward_backward(x, scale, weight, value, workspace, dx, accumulate); },
      [&](auto stream) { cuda::total_variation(stream, x, scale, weight, value, dx, mode, workspace); });
}

std::int64_t range_workspace_bytes(const Context& context, Shape x) {
  return on_device(
      context, [&] { return cpu::range_workspace_bytes(x); }, [&](auto) { return cuda::workspace_bytes(); });
}

void range(Context& context, const RangeArgs& args) {
  check_picture(args.x, "range");
  require(args.low <= args.high, "range: from {} to {}", args.low, args.high);
  if (args.mode != GradientMode::Ignore) check_gradient("range", args.x, args.dx);
  if (args.value)
    require_value("range", args.value, args.workspace, range_workspace_bytes(context, args.x.shape));
  on_device(
      context, [&] { cpu::range(args); }, [&](auto stream) { cuda::range(stream, args); });
}

}  // namespace chiaro::losses
