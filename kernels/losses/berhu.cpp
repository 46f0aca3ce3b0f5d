#include "kernels/losses/berhu.hpp"

#include "kernels/base/on_device.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/losses/berhu_cuda.hpp"

namespace chiaro::losses {

namespace {

void check_depths(ConstTensorView prediction, ConstTensorView target) {
  check_present("berhu", "the prediction", prediction);
  check_tensor("berhu", "the target", target, DType::F32, prediction.shape);
}

}  // namespace

std::int64_t berhu_workspace_bytes(const Context& context, Shape prediction) {
  return on_device(
      context, [&] { return cpu::berhu_workspace_bytes(prediction); },
      [&](auto) { return cuda::berhu_workspace_bytes(); });
}

void berhu_forward(Context& context, ConstTensorView prediction, ConstTensorView target, double scale,
                   float* value, float* state, void* workspace) {
  check_depths(prediction, target);
  require(value && state && workspace, "berhu: value, state and a workspace of {} bytes are needed",
          berhu_workspace_bytes(context, prediction.shape));
  on_device(
      context, [&] { cpu::berhu_forward(prediction, target, scale, value, state, workspace); },
      [&](auto stream) { cuda::berhu_forward(stream, prediction, target, scale, value, state, workspace); });
}

void berhu_backward(Context& context, ConstTensorView prediction, ConstTensorView target, const float* state,
                    double scale, TensorView dprediction, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_depths(prediction, target);
  require(state != nullptr, "berhu: the state of the forward pass is missing");
  require(dprediction && dprediction.shape == prediction.shape,
          "berhu: the gradient has shape {}, expected {}", to_string(dprediction.shape),
          to_string(prediction.shape));
  on_device(
      context,
      [&] {
        cpu::berhu_backward(prediction, target, state, scale, dprediction, mode == GradientMode::Accumulate);
      },
      [&](auto stream) {
        cuda::berhu_backward(stream, prediction, target, state, scale, dprediction,
                             mode == GradientMode::Accumulate);
      });
}

}  // namespace chiaro::losses
