#include "kernels/picture/picture.hpp"

namespace chiaro::picture {

namespace {

void check_args(const std::uint8_t* rgb, ConstTensorView x) {
  require(rgb && x, "picture: bytes and tensor must both be given");
  require(x.shape.c == 3, "picture: tensor {} has {} channels, expected 3", to_string(x.shape), x.shape.c);
}

}  // namespace

void to_tensor(Context& context, const std::uint8_t* rgb, TensorView y) {
  check_args(rgb, y);
  switch (context.device()) {
    case Device::Cpu:
      return cpu::to_tensor(rgb, y);
    case Device::Cuda:
      throw Error("picture: there is no CUDA implementation yet");
  }
}

void to_bytes(Context& context, ConstTensorView x, std::uint8_t* rgb) {
  check_args(rgb, x);
  switch (context.device()) {
    case Device::Cpu:
      return cpu::to_bytes(x, rgb);
    case Device::Cuda:
      throw Error("picture: there is no CUDA implementation yet");
  }
}

}  // namespace chiaro::picture
