#include "kernels/norm/batch_norm_training.hpp"

#include "kernels/base/argument_checks.hpp"
#include "kernels/base/on_device.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/norm/batch_norm_training_cuda.hpp"

namespace chiaro::batch_norm::training {

namespace {

void check_input(const char* op, const ConstTensorView& x) {
  check_present(op, "x", x);
  require(x.shape.n * x.shape.pixels() > 1, "{}: x {} has one pixel, which has no variance", op,
          to_string(x.shape));
}

}  // namespace

std::int64_t forward_workspace_bytes(const Context& context, const Shape& x) {
  return on_device(
      context, [&] { return cpu::forward_workspace_bytes(x); },
      [&](auto) { return cuda::forward_workspace_bytes(x); });
}
std::int64_t backward_workspace_bytes(const Context& context, const Shape& x) {
  return on_device(
      context, [&] { return cpu::backward_workspace_bytes(x); },
      [&](auto) { return cuda::backward_workspace_bytes(x); });
}

void forward(Context& context, const ForwardArgs& args) {
  const char* op = "batch_norm training forward";
  check_input(op, args.x);
  check_tensor(op, "y", args.y, args.x.dtype, args.x.shape);
  if (args.residual) check_tensor(op, "residual", args.residual, args.x.dtype, args.x.shape);
  check_array(op, "scale", args.scale);
  check_array(op, "offset", args.offset);
  check_array(op, "mean", args.mean);
  check_array(op, "rstd", args.rstd);
  require(!args.running_mean == !args.running_variance,
          "{}: running_mean and running_variance are updated together", op);
  check_workspace(op, args.workspace);
  on_device(
      context, [&] { cpu::forward(context, args); }, [&](auto stream) { cuda::forward(stream, args); });
}

void backward(Context& context, const BackwardArgs& args) {
  const char* op = "batch_norm training backward";
  check_input(op, args.x);
  check_tensor(op, "dy", args.dy, args.x.dtype, args.x.shape);
  if (args.attr.relu) check_tensor(op, "y", args.y, args.x.dtype, args.x.shape);
  check_array(op, "scale", args.scale);
  check_array(op, "mean", args.mean);
  check_array(op, "rstd", args.rstd);
  if (args.dx_mode != GradientMode::Ignore) check_tensor(op, "dx", args.dx, args.x.dtype, args.x.shape);
  if (args.dresidual_mode != GradientMode::Ignore)
    check_tensor(op, "dresidual", args.dresidual, args.x.dtype, args.x.shape);
  if (args.param_mode != GradientMode::Ignore) {
    check_array(op, "dscale", args.dscale);
    check_array(op, "doffset", args.doffset);
  }
  check_workspace(op, args.workspace);
  on_device(
      context, [&] { cpu::backward(args); }, [&](auto stream) { cuda::backward(stream, args); });
}

}  // namespace chiaro::batch_norm::training
