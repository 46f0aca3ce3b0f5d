// gram.hpp and style_loss.hpp on CUDA. Pointers are device memory.
//
// Launches: forward gram_tiled or gram_tensor, then gram_finish; style loss the same with gram_style_finish,
// then finish_sum, these two for every picture where it has a target of its own; backward gram_backward_tiled
// or gram_backward_tensor. The tensor-core kernels take bf16 with C a multiple of 8 and arrays aligned to 16
// bytes, the tiled ones everything, in fp32.
// Forward: only 64x64 tiles on and above the diagonal, each over splits of the pixels, whose partial tiles
// are added in split order and mirrored: g is exactly symmetric. With T = ceil(C/64) tiles f is read T times
// at most (once for C <= 64), P*C*C*(T+1)/T FLOP; partial tiles are written and read once
// (forward_workspace_bytes).
// Backward: reads f and writes df T and one times, 2*P*C*C FLOP; bf16 rounds dg to bf16 before the product.
// Sums in fp32 in a fixed order: deterministic.
//
// Style loss: the finishing kernel subtracts the target from each element of g as it adds up its splits, so g
// itself is never written. Bytes besides f and the partial tiles: dg once and the target once, where forward,
// mse forward and mse backward move four times dg and twice the target. At the style layers of VGG-19, 4
// pictures of 256x256: 12.2 MB instead of 44.0 MB and 3 launches instead of 5 for each of the five layers.
// The loss: squares and their sum in double, blocks added in order.
//
// Registers on sm_90a (tests/cuda_registers.sh): tensor 238 with 128 threads, backward_tensor 76, tiled and
// backward_tiled 64 to 66, the finishing kernel 48; no spills.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/gram/gram.hpp"
#include "kernels/gram/style_loss.hpp"

namespace chiaro::gram::cuda {

std::int64_t forward_workspace_bytes(Shape f);  // backward needs none
void forward(CudaStream, ConstTensorView f, float* g, float scale, void* workspace);
std::int64_t style_loss_workspace_bytes(Shape f);
void style_loss(CudaStream, const StyleLossArgs&);
void backward(CudaStream, ConstTensorView f, const float* dg, float scale, TensorView df, bool accumulate);

}  // namespace chiaro::gram::cuda
