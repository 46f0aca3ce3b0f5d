// nmse.hpp on CUDA. Pointers are device memory.
//
// Launches: forward nmse_sums (both sums of each picture, by blocks) and nmse_finish; backward
// nmse_backward.
// Bytes moved per element: forward reads a and b once, backward once more and writes da.
// Sums: squares in fp32 within a thread's vector, everything else in double in an order that the shape and the vector
// width fix: deterministic.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/losses/nmse.hpp"

namespace chiaro::losses::cuda {

std::int64_t nmse_workspace_bytes(Shape a);
void nmse_forward(CudaStream, ConstTensorView a, ConstTensorView b, double scale, float* value,
                  float* inverse, void* workspace);
void nmse_backward(CudaStream, ConstTensorView a, ConstTensorView b, const float* inverse, double scale,
                   TensorView da, bool accumulate);

}  // namespace chiaro::losses::cuda
