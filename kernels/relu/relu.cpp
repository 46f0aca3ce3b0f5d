#include "kernels/relu/relu.hpp"

#include "kernels/common/rows.hpp"

namespace chiaro::relu {

void forward(Context& context, ConstTensorView x, TensorView y) {
  check_present("relu forward", "x", x);
  check_tensor("relu forward", "y", y, x.dtype, x.shape);
  switch (context.device()) {
    case Device::Cpu:
      return cpu::forward(x, y);
    case Device::Cuda:
      throw Error("relu: there is no CUDA implementation yet");
  }
}

void backward(Context& context, ConstTensorView y, ConstTensorView dy, TensorView dx, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_present("relu backward", "y", y);
  check_tensor("relu backward", "dy", dy, y.dtype, y.shape);
  check_tensor("relu backward", "dx", dx, y.dtype, y.shape);
  require(mode == GradientMode::Overwrite || dx.data != dy.data,
          "relu backward: dx is dy, but dx is to be added to");
  switch (context.device()) {
    case Device::Cpu:
      return cpu::backward(y, dy, dx, mode == GradientMode::Accumulate);
    case Device::Cuda:
      throw Error("relu: there is no CUDA implementation yet");
  }
}

}  // namespace chiaro::relu
