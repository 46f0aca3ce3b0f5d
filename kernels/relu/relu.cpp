#include "kernels/relu/relu.hpp"

#include "kernels/common/on_device.hpp"
#include "kernels/common/rows.hpp"
#include "kernels/relu/relu_cuda.hpp"

namespace chiaro::relu {

void forward(Context& context, ConstTensorView x, TensorView y) {
  check_present("relu forward", "x", x);
  check_tensor("relu forward", "y", y, x.dtype, x.shape);
  on_device(
      context, [&] { cpu::forward(x, y); }, [&](auto stream) { cuda::forward(stream, x, y); });
}

void backward(Context& context, ConstTensorView y, ConstTensorView dy, TensorView dx, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_present("relu backward", "y", y);
  check_tensor("relu backward", "dy", dy, y.dtype, y.shape);
  check_tensor("relu backward", "dx", dx, y.dtype, y.shape);
  require(mode == GradientMode::Overwrite || dx.data != dy.data,
          "relu backward: dx is dy, but dx is to be added to");
  on_device(
      context, [&] { cpu::backward(y, dy, dx, mode == GradientMode::Accumulate); },
      [&](auto stream) { cuda::backward(stream, y, dy, dx, mode == GradientMode::Accumulate); });
}

}  // namespace chiaro::relu
