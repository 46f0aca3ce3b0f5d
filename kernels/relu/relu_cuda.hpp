// relu.hpp on CUDA, one launch each: relu_forward, relu_backward.
// Bytes moved per element of size b: forward 2 b, backward 3 b, 4 b where dx is added to.
#pragma once
#include "kernels/common/cuda_stream.hpp"
#include "kernels/relu/relu.hpp"

namespace chiaro::relu::cuda {

void forward(CudaStream, ConstTensorView x, TensorView y);
void backward(CudaStream, ConstTensorView y, ConstTensorView dy, TensorView dx, bool accumulate);

}  // namespace chiaro::relu::cuda
