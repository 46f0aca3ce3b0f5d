// assign.hpp on CUDA, one launch: assign.
// Bytes moved per element: x and y once, y twice where it is added to.
#pragma once
#include "kernels/assign/assign.hpp"
#include "kernels/common/cuda_stream.hpp"

namespace chiaro::assign::cuda {

void run(CudaStream, ConstTensorView x, TensorView y, bool accumulate);

}  // namespace chiaro::assign::cuda
