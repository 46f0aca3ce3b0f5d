// Instance normalization on CUDA: the contract of instance_norm.hpp, with pointers to device memory.
//
// Launches, in this order on the stream:
//   forward   moments, finish_moments, instance_norm_apply
//   backward  instance_norm_sums, instance_norm_finish_sums, instance_norm_dx; without dx and parameter
//             gradients the last alone, without dx and dresidual the first two
// Bytes moved, E = N*H*W*C elements of size b, P >= E elements with the border of y, R those with the border
// of the residual: forward 2*E*b (x) + P*b (y) + E*b (residual); backward 2*(E + P)*b (x, dy) + E*b (dx) +
// R*b (dresidual), b or E more where they are added to. Whatever is read a second time may come from L2.
// Parameters, statistics and partial sums are a few hundred KiB.
//
// Borders: forward writes y with its border in the same pass. Backward folds the border of dy while reading
// and leaves dy as it is; the folded value is rounded to the dtype once, as if it had been stored. Vectors of
// 16 bytes where C is a multiple of 4 (fp32) or 8 (bf16) and arrays are aligned to 16 bytes, single elements
// otherwise. Arithmetic in fp32, merges of chunks in double.
// Deterministic: chunks depend on the shape alone, and how a chunk is summed on the vector width.
//
// Registers on sm_90a, bf16 in vectors of 8 / fp32 of 4 (tests/cuda_registers.sh): moments 90 / 58, apply 60
// / 42, sums and dx 94 / 70; no spills.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/norm/instance_norm.hpp"

namespace chiaro::instance_norm::cuda {

std::int64_t forward_workspace_bytes(const Shape& x);
std::int64_t backward_workspace_bytes(const Shape& x);
void forward(CudaStream, const ForwardArgs&);
void backward(CudaStream, const BackwardArgs&);

}  // namespace chiaro::instance_norm::cuda
