#include "kernels/losses/nmse.hpp"

#include "kernels/base/on_device.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/losses/nmse_cuda.hpp"

namespace chiaro::losses {

namespace {

void check_nmse_pair(ConstTensorView a, ConstTensorView b) {
  check_present("relative error", "a", a);
  check_present("relative error", "b", b);
  require(b.shape == a.shape, "relative error: b has shape {}, expected {}", to_string(b.shape),
          to_string(a.shape));
}

}  // namespace

std::int64_t nmse_workspace_bytes(const Context& context, Shape a) {
  return on_device(
      context, [&] { return cpu::nmse_workspace_bytes(a); },
      [&](auto) { return cuda::nmse_workspace_bytes(a); });
}

void nmse_forward(Context& context, ConstTensorView a, ConstTensorView b, double scale, float* value,
                  float* inverse, void* workspace) {
  check_nmse_pair(a, b);
  require(value && inverse && workspace,
          "relative error: value, inverse and a workspace of {} bytes are needed",
          nmse_workspace_bytes(context, a.shape));
  on_device(
      context, [&] { cpu::nmse_forward(a, b, scale, value, inverse, workspace); },
      [&](auto stream) { cuda::nmse_forward(stream, a, b, scale, value, inverse, workspace); });
}

void nmse_backward(Context& context, ConstTensorView a, ConstTensorView b, const float* inverse, double scale,
                   TensorView da, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_nmse_pair(a, b);
  require(inverse != nullptr, "relative error: what the forward pass left is missing");
  require(da && da.shape == a.shape, "relative error: the gradient has shape {}, expected {}",
          to_string(da.shape), to_string(a.shape));
  on_device(
      context, [&] { cpu::nmse_backward(a, b, inverse, scale, da, mode == GradientMode::Accumulate); },
      [&](auto stream) {
        cuda::nmse_backward(stream, a, b, inverse, scale, da, mode == GradientMode::Accumulate);
      });
}

}  // namespace chiaro::losses
