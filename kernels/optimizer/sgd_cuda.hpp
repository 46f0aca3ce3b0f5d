// sgd.hpp on CUDA: the whole slab in one launch, sgd_step, which also writes the bf16 copy of the parameters (or none:
// null).
// Bytes moved per parameter: 20, and 2 for the copy.
#pragma once
#include "kernels/base/bf16.hpp"
#include "kernels/base/cuda_stream.hpp"
#include "kernels/optimizer/sgd.hpp"

namespace chiaro::sgd::cuda {

void step(CudaStream, const Factors& factors, std::int64_t count, const float* grad, float* param,
          float* velocity, bf16* copy);
// factors: in device memory, read when the kernel runs, as a replayed graph needs it.
void step(CudaStream, const Factors* factors, std::int64_t count, const float* grad, float* param,
          float* velocity, bf16* copy);

}  // namespace chiaro::sgd::cuda
