// tanh_output.hpp on CUDA, one launch each: tanh_output_forward, tanh_output_backward.
// Bytes moved per element: x and y once, or y, dy and dx once, dx twice where it is added to.
#pragma once
#include "kernels/common/cuda_stream.hpp"
#include "kernels/tanh_output/tanh_output.hpp"

namespace chiaro::tanh_output::cuda {

void forward(CudaStream, ConstTensorView x, TensorView y);
void backward(CudaStream, ConstTensorView y, ConstTensorView dy, TensorView dx, bool accumulate);

}  // namespace chiaro::tanh_output::cuda
