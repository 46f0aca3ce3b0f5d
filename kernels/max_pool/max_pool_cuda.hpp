// max_pool.hpp on CUDA, one launch each: max_pool_forward, max_pool_backward.
// Bytes moved: forward x and y once; backward x, y, dy and dx once, dx twice where it is added to. What
// overlapping windows share comes from cache. Backward gathers: every element of dx looks at the windows that
// cover it, in their order, so nothing is added by two threads.
#pragma once
#include "kernels/common/cuda_stream.hpp"
#include "kernels/max_pool/max_pool.hpp"

namespace chiaro::max_pool::cuda {

void forward(CudaStream, ConstTensorView x, TensorView y, const Attributes&);
void backward(CudaStream, ConstTensorView x, ConstTensorView y, ConstTensorView dy, TensorView dx,
              bool accumulate, const Attributes&);

}  // namespace chiaro::max_pool::cuda
