// image_convert.hpp on CUDA, one launch each: image_to_tensor, image_to_bytes. rgb is device memory.
// Bytes moved per element: one, and the element of the tensor once.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/elementwise/image_convert.hpp"

namespace chiaro::image_convert::cuda {

void to_tensor(CudaStream, const std::uint8_t* rgb, TensorView y);
void to_bytes(CudaStream, ConstTensorView x, std::uint8_t* rgb);

}  // namespace chiaro::image_convert::cuda
