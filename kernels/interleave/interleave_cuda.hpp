// interleave.hpp on CUDA.
// Launches: forward interleave_forward; backward interleave_backward, or with zero_rest
// interleave_backward_rest once for each tensor among the targets. Bytes moved per element of y, of size b:
// forward 2 b, and b for the sum; backward 2 b, and with zero_rest what the targets have beyond their
// windows.
#pragma once
#include "kernels/common/cuda_stream.hpp"
#include "kernels/interleave/interleave.hpp"

namespace chiaro::interleave::cuda {

void forward(CudaStream, const ForwardArgs&);
void backward(CudaStream, const BackwardArgs&);

}  // namespace chiaro::interleave::cuda
