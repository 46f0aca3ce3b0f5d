// max_pool.hpp on CUDA, one launch each: max_pool_forward, max_pool_backward.
// Bytes moved: forward x and y once; backward x, y, dy and dx once, dx twice where it is added to. What
// overlapping windows share comes from cache. Backward gathers: every element of dx looks at the windows that
// cover it, in their order, so nothing is added by two threads.
//
// With `relu`, the mask of the ReLU before costs nothing: an element that takes a gradient equals the
// window's maximum, so y says whether it is positive. It saves the pass of relu_backward over the pool's
// input, 3 b per element of size b: with VGG-19 at 4 pictures of 256x256 (four pools whose inputs no loss
// reads, 31.5 million elements) 189 MB in bf16 and 4 launches of each iteration, with the depth network
// (pool1) another 25 MB and 1.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/pool/max_pool.hpp"

namespace chiaro::max_pool::cuda {

void forward(CudaStream, ConstTensorView x, TensorView y, const Attributes&);
void backward(CudaStream, ConstTensorView x, ConstTensorView y, ConstTensorView dy, TensorView dx,
              bool accumulate, const Attributes&, bool relu = false);

}  // namespace chiaro::max_pool::cuda
