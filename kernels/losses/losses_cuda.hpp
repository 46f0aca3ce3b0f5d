// losses.hpp on CUDA. Pointers are device memory.
//
// Launches: mse, total_variation or range, and finish_sum where the value is wanted;
//   nmse_sums (both sums of each picture, by blocks), nmse_finish, and nmse_gradient where the gradient is
//   wanted; berhu_extent (largest |d|, number of valid pixels), berhu_sum (which derives c from them),
//   finish_sum where the value is wanted, and berhu_gradient where the gradient is.
// Bytes moved per element: mse reads a and b and writes da, total variation (whose neighbors come from cache)
//   and range read x and write dx; nmse reads a and b twice, berhu its tensors three times, once less without
//   the gradient. A gradient that is added to is read too.
// Sums: squares in fp32 within a thread's vector, everything else in double in an order that the shape and
//   the vector width fix.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/losses/losses.hpp"

namespace chiaro::losses::cuda {

std::int64_t workspace_bytes();  // of mse, total variation and range
std::int64_t nmse_workspace_bytes(Shape a);
std::int64_t berhu_workspace_bytes();

void mse(CudaStream, ConstTensorView a, ConstTensorView b, const Request&);
void tv(CudaStream, ConstTensorView x, const Request&);
void range(CudaStream, ConstTensorView x, float low, float high, const Request&);
void nmse(CudaStream, ConstTensorView a, ConstTensorView b, const Request&);
void berhu(CudaStream, ConstTensorView prediction, ConstTensorView target, const Request&);

}  // namespace chiaro::losses::cuda
