#include "kernels/tanh_output/tanh_output.hpp"

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
  switch (context.device()) {
    case Device::Cpu:
      return cpu::forward(x, y);
    case Device::Cuda:
      throw Error("tanh_output: there is no CUDA implementation yet");
  }
}

void backward(Context& context, ConstTensorView y, ConstTensorView dy, TensorView dx, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_same_shape(y, "y", dy, "dy");
  check_same_shape(y, "y", dx, "dx");
  switch (context.device()) {
    case Device::Cpu:
      return cpu::backward(y, dy, dx, mode == GradientMode::Accumulate);
    case Device::Cuda:
      throw Error("tanh_output: there is no CUDA implementation yet");
  }
}

}  // namespace chiaro::tanh_output
