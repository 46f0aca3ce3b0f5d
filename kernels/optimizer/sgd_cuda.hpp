// sgd.hpp on CUDA: the whole slab in one launch, sgd_step.
// Bytes moved per parameter: 20.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/optimizer/sgd.hpp"

namespace chiaro::sgd::cuda {

void step(CudaStream, const Factors& factors, std::int64_t count, const float* grad, float* param,
          float* velocity);
// factors: in device memory, read when the kernel runs, as a replayed graph needs it.
void step(CudaStream, const Factors* factors, std::int64_t count, const float* grad, float* param,
          float* velocity);

}  // namespace chiaro::sgd::cuda
