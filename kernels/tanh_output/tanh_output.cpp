#include "kernels/tanh_output/tanh_output.hpp"

#include "kernels/common/on_device.hpp"
#include "kernels/tanh_output/tanh_output_cuda.hpp"

namespace chiaro::tanh_output {

namespace {

void check_same_shape(ConstTensorView from, const char* from_name, ConstTensorView to, const char* to_name) {
  require(from && to, "tanh_output: {} and {} must both be given", from_name, to_name);
  require(to.shape == from.shape, "tanh_output: {} has shape {}, expected {} as {}", to_name,
          to_string(to.shape), to_string(from.shape), from_name);
}

}  // namespace

void forward(Context& context, ConstTensorView x, TensorView y) {
  check_same_shape(x, "x", y, "y");
  on_device(
      context, [&] { cpu::forward(x, y); }, [&](auto stream) { cuda::forward(stream, x, y); });
}

void backward(Context& context, ConstTensorView y, ConstTensorView dy, TensorView dx, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_same_shape(y, "y", dy, "dy");
  check_same_shape(y, "y", dx, "dx");
  on_device(
      context, [&] { cpu::backward(y, dy, dx, mode == GradientMode::Accumulate); },
      [&](auto stream) { cuda::backward(stream, y, dy, dx, mode == GradientMode::Accumulate); });
}

}  // namespace chiaro::tanh_output
