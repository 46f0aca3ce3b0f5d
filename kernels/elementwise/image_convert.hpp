// Pictures as bytes to tensors and back.
//   to_tensor: y = rgb, 0..255          to_bytes: rgb = x clamped to 0..255 and rounded to nearest; NaN gives
//   0
// Layout: NHWC, dense.  rgb: (N,H,W,3) bytes.  x, y: (N,H,W,3), fp32 or bf16; every byte is exact in bf16.
// Halves round to even.  Deterministic, with any number of threads. With a CUDA context rgb too is memory of
// the device: copy_async (base/memory.hpp) moves it there and back.
#pragma once
#include <cstdint>

#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::image_convert {

void to_tensor(Context& context, const std::uint8_t* rgb, TensorView y);
void to_bytes(Context& context, ConstTensorView x, std::uint8_t* rgb);

namespace cpu {
void to_tensor(const std::uint8_t* rgb, TensorView y);
void to_bytes(ConstTensorView x, std::uint8_t* rgb);
}  // namespace cpu

}  // namespace chiaro::image_convert
