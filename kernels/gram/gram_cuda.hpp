// gram.hpp on CUDA. Pointers are device memory.
//
// Launches: forward gram_tiled or gram_tensor, then gram_finish; backward gram_backward_tiled or
// gram_backward_tensor. The tensor-core kernels take bf16 with C a multiple of 8 and arrays aligned to 16
// bytes, the tiled ones everything, in fp32. Forward: only 64x64 tiles on and above the diagonal, each over
// splits of the pixels, whose partial tiles are added in split order and mirrored: g is exactly symmetric.
// With T = ceil(C/64) tiles f is read T times at most (once for C <= 64), P*C*C*(T+1)/T FLOP; partial tiles
// are written and read once (forward_workspace_bytes). Backward: reads f and writes df T and one times,
// 2*P*C*C FLOP; bf16 rounds dg to bf16 before the product. Sums in fp32 in a fixed order: deterministic.
//
// Registers on sm_90a (tests/cuda_registers.sh): tensor 238 with 128 threads, backward_tensor 76, tiled and
// backward_tiled 64 to 66; no spills.
#pragma once
#include "kernels/common/cuda_stream.hpp"
#include "kernels/gram/gram.hpp"

namespace chiaro::gram::cuda {

std::int64_t forward_workspace_bytes(Shape f);  // backward needs none
void forward(CudaStream, ConstTensorView f, float* g, float scale, void* workspace);
void backward(CudaStream, ConstTensorView f, const float* dg, float scale, TensorView df, bool accumulate);

}  // namespace chiaro::gram::cuda
