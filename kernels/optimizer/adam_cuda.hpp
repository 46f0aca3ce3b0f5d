// adam.hpp on CUDA: the whole slab in one launch, adam_step, which also writes the bf16 copy. Its factors may
// lie in device memory, so that a captured graph can be replayed while they change from step to step.
// Bytes moved per parameter: 28, and 2 for the copy.
// gradient_norm: two launches, gradient_squares and finish_sum; 4 bytes per parameter. `norm` is device
// memory.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/optimizer/adam.hpp"

namespace chiaro::adam::cuda {

void step(CudaStream, const Factors& factors, std::int64_t count, const float* grad, float* param, float* m,
          float* v, bf16* copy);
// factors: in device memory, read when the kernel runs.
void step(CudaStream, const Factors* factors, std::int64_t count, const float* grad, float* param, float* m,
          float* v, bf16* copy);

std::int64_t gradient_norm_workspace_bytes();
void gradient_norm(CudaStream, std::int64_t count, const float* grad, double* norm, void* workspace);

}  // namespace chiaro::adam::cuda
