// upsample.hpp on CUDA, one launch each: upsample_forward, upsample_backward, upsample_fold_weights,
// upsample_unfold_gradient.
// Bytes moved per element of the smaller tensor, of size b: 5 b, and b more where it is added to.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/resample/upsample.hpp"

namespace chiaro::upsample::cuda {

void upsample_nearest_forward(CudaStream, ConstTensorView x, TensorView y);
void upsample_nearest_backward(CudaStream, ConstTensorView dy, TensorView dx, bool accumulate);
void fold_weights(CudaStream, const float* w, std::int64_t k, std::int64_t c, float* w4);
void unfold_gradient(CudaStream, const float* dw4, std::int64_t k, std::int64_t c, float* dw,
                     bool accumulate);

}  // namespace chiaro::upsample::cuda
