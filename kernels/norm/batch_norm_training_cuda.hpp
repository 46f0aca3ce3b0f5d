// batch_norm_training.hpp on CUDA. Pointers are device memory.
//
// Launches: forward moments, finish_moments, batch_norm_apply; backward batch_norm_sums,
// instance_norm_finish_sums, batch_norm_dx; without dx and parameter gradients the last alone, without dx and
// dresidual the first two.
// Bytes moved, E = N*H*W*C elements of size b: forward 2*E*b (x) + E*b (y) + E*b (residual); backward 2*E*b
// each for x, dy and, with ReLU, y, + E*b each for dx and dresidual, E*b more where they are added to.
// Statistics as those of instance norm over the batch as one picture (moments_cuda.cuh). Deterministic.
// Registers on sm_90a with bf16 in vectors of 8 (tests/cuda_registers.sh): apply 48, sums 62, dx 72; no
// spills.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/norm/batch_norm_training.hpp"

namespace chiaro::batch_norm::training::cuda {

std::int64_t forward_workspace_bytes(const Shape& x);
std::int64_t backward_workspace_bytes(const Shape& x);
void forward(CudaStream, const ForwardArgs&);
void backward(CudaStream, const BackwardArgs&);

}  // namespace chiaro::batch_norm::training::cuda
