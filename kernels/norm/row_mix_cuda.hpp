// row_mix.hpp on CUDA, one launch each: row_mix_forward, row_mix_backward. Pointers are device memory.
// Bytes moved: y once and the rows that have a share; or dt once, twice where it is added to, and dy once for
// each of its shares. Shares are the same for a whole block, which skips what has none.
// Vectors of 16 bytes where L is a multiple of 4 and arrays are aligned to 16 bytes, single elements
// otherwise.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/norm/row_mix.hpp"

namespace chiaro::row_mix::cuda {

void forward(CudaStream, const Sizes&, const float* w, const float* t, float* y);
void backward(CudaStream, const Sizes&, const float* w, const float* dy, float* dt, bool accumulate);

}  // namespace chiaro::row_mix::cuda
