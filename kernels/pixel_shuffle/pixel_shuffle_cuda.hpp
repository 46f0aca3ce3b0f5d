// pixel_shuffle.hpp on CUDA.
// Launches: forward pixel_shuffle_forward; backward pixel_shuffle_backward, or with zero_rest
// pixel_shuffle_backward_rest once for each tensor among the targets.
// Bytes moved per element of y, of size b: forward 2 b, and b for the sum; backward 2 b, b for the ReLU's
// mask, b (2 b where it is added to) for the sum's gradient, and with zero_rest what the targets have beyond
// their windows.
//
// Backward in one pass, instead of relu_backward in place, a copy to the sum's gradient and the interleave,
// saves 2 b for the mask and b for the copy; layers that share phases and leave zero_rest out
// (PixelShuffleOptions) save another b. The four up-projections of the depth network at 4 pictures of 256x256
// (7.9 million elements of y in each of two interleaves), in bf16: 110 MB instead of 204 MB and 8 launches
// instead of 32.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/pixel_shuffle/pixel_shuffle.hpp"

namespace chiaro::pixel_shuffle::cuda {

void forward(CudaStream, const ForwardArgs&);
void backward(CudaStream, const BackwardArgs&);

}  // namespace chiaro::pixel_shuffle::cuda
