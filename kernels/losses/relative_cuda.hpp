// relative.hpp on CUDA. Pointers are device memory.
//
// Launches: forward relative_sums (both sums of each picture, by blocks) and relative_finish; backward
// relative_backward.
// Bytes moved per element: forward reads a and b once, backward once more and writes da.
// Sums: squares in fp32 within a thread's vector, everything else in double in an order that the shape and the vector
// width fix: deterministic.
#pragma once
#include "kernels/common/cuda_stream.hpp"
#include "kernels/losses/relative.hpp"

namespace chiaro::losses::cuda {

std::int64_t relative_workspace_bytes(Shape a);
void relative_forward(CudaStream, ConstTensorView a, ConstTensorView b, double scale, float* value,
                      float* inverse, void* workspace);
void relative_backward(CudaStream, ConstTensorView a, ConstTensorView b, const float* inverse, double scale,
                       TensorView da, bool accumulate);

}  // namespace chiaro::losses::cuda
