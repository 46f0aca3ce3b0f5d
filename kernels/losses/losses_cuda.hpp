// losses.hpp on CUDA: value and gradient in one pass over the data. Pointers are device memory.
//
// Launches: mse, total_variation or range, and finish_sum where the value is wanted.
// Bytes moved per element: mse reads a and b and writes da, total variation (whose neighbors come from cache) and range
// read x and write dx; a gradient that is added to is read too.
// Sums: squares in fp32 within a thread's vector, everything else in double in an order that the number of
// elements and the vector width fix.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/losses/losses.hpp"

namespace chiaro::losses::cuda {

std::int64_t workspace_bytes();  // of all, aligned to 8; used when the value is wanted

// value: null when it is not wanted. The gradient, of weight * value: absent, with mode Ignore, when it is
// not wanted.
void mse(CudaStream, ConstTensorView a, ConstTensorView b, double scale, double weight, float* value,
         TensorView da, GradientMode, void* workspace);
void total_variation(CudaStream, ConstTensorView x, double scale, double weight, float* value, TensorView dx,
                     GradientMode, void* workspace);
void range(CudaStream, const RangeArgs&);

}  // namespace chiaro::losses::cuda
