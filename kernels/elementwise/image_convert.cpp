#include "kernels/elementwise/image_convert.hpp"

#include "kernels/base/on_device.hpp"
#include "kernels/elementwise/image_convert_cuda.hpp"

namespace chiaro::image_convert {

namespace {

void check_args(const std::uint8_t* rgb, ConstTensorView x) {
  require(rgb && x, "image_convert: bytes and tensor must both be given");
  require(x.shape.c == 3, "image_convert: tensor {} has {} channels, expected 3", to_string(x.shape),
          x.shape.c);
}

}  // namespace

void to_tensor(Context& context, const std::uint8_t* rgb, TensorView y) {
  check_args(rgb, y);
  on_device(
      context, [&] { cpu::to_tensor(rgb, y); }, [&](auto stream) { cuda::to_tensor(stream, rgb, y); });
}

void to_bytes(Context& context, ConstTensorView x, std::uint8_t* rgb) {
  check_args(rgb, x);
  on_device(
      context, [&] { cpu::to_bytes(x, rgb); }, [&](auto stream) { cuda::to_bytes(stream, x, rgb); });
}

}  // namespace chiaro::image_convert
