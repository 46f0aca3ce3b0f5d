// channel_affine.hpp on CUDA, one launch each: channel_affine_forward, channel_affine_backward.
// Bytes moved per element: x and y once, or dy and dx once, dx twice where it is added to. Vectors run across
// pixels, so three channels take 16-byte accesses too.
#pragma once
#include "kernels/channel_affine/channel_affine.hpp"
#include "kernels/common/cuda_stream.hpp"

namespace chiaro::channel_affine::cuda {

void forward(CudaStream, ConstTensorView x, const float* mean, const float* scale, TensorView y);
void backward(CudaStream, ConstTensorView dy, const float* scale, TensorView dx, bool accumulate);

}  // namespace chiaro::channel_affine::cuda
