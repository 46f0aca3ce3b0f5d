// berhu.hpp on CUDA. Pointers are device memory.
//
// Launches: forward berhu_extent (largest |d|, number of valid pixels), berhu_sum (which derives c from them and writes
// the state), finish_sum; backward berhu_backward.
// Bytes moved per pixel: forward reads prediction and target twice, backward once and writes dprediction. The number of
// valid pixels and the sums are in double, in a fixed order: deterministic.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/losses/berhu.hpp"

namespace chiaro::losses::cuda {

std::int64_t berhu_workspace_bytes();
void berhu_forward(CudaStream, ConstTensorView prediction, ConstTensorView target, double scale, float* value,
                   float* state, void* workspace);
void berhu_backward(CudaStream, ConstTensorView prediction, ConstTensorView target, const float* state,
                    double scale, TensorView dprediction, bool accumulate);

}  // namespace chiaro::losses::cuda
