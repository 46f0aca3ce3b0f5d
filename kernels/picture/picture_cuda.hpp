// picture.hpp on CUDA, one launch each: picture_to_tensor, picture_to_bytes. rgb is device memory.
// Bytes moved per element: one, and the element of the tensor once.
#pragma once
#include "kernels/common/cuda_stream.hpp"
#include "kernels/picture/picture.hpp"

namespace chiaro::picture::cuda {

void to_tensor(CudaStream, const std::uint8_t* rgb, TensorView y);
void to_bytes(CudaStream, ConstTensorView x, std::uint8_t* rgb);

}  // namespace chiaro::picture::cuda
