// running_average.hpp on CUDA, one launch: running_average. Pointers are device memory.
// Bytes moved per element: p once, a twice.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/optimizer/running_average.hpp"

namespace chiaro::running_average::cuda {

void step(CudaStream, const float* rate, std::int64_t count, const float* p, float* a);

}  // namespace chiaro::running_average::cuda
