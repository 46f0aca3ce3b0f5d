// Convolution by kernels of our own, for the problems that cuDNN has no engine for and for GPUs that are emulated: any
// filter, stride and zero padding. Each pass is a matrix product whose one factor is never stored: its elements are
// found in the picture when they are needed.
//
//   forward            rows = pixels of y, columns = filters,  sum over taps (r,s,c)
//   backward data      the same over dy with turned filters: rows = pixels of x, columns = channels of x, sum
//                      over (r,s,k); between dy's pixels lie stride - 1 zeros, which are multiplied, too
//   backward weights   rows = filters, columns = taps (r,s,c), sum over pixels of y in splits
//
// Blocks make 64x64 sums, 32 terms at a time, in fp32 without tensor cores. A picture of C channels is read
// R*S*ceil(K/64) times (through the caches), weights once for every 64 pixels; 2*R*S*C*K FLOP per pixel, K rounded up
// to 64. Accesses of 16 bytes where the channels that are read fill them (for dw, filters too) and arrays are aligned,
// else of one element.
// Launches: conv2d_forward; conv2d_backward_data; conv2d_backward_weights and, with more than one split, "conv2d
// sum_partials", which adds the splits in order; conv2d_turn_filters.
// Deterministic: no sum depends on the device. Registers on sm_90a (tests/cuda_registers.sh): forward and backward data
// 64 to 72, backward weights 71 to 93; no spills.
//
// Layouts, dtypes and formulas as in conv2d.hpp. Pointers are of device memory. Problems are checked by Plan::make;
// those with 2^30 or more pixels or taps throw Error.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/conv2d/conv2d.hpp"

namespace chiaro::conv2d::cuda {

// turned[c,r,s,k] = w[k,R-1-r,S-1-s,c], rounded through bf16 in bf16 problems. Overwrites turned.
void turn_filters(CudaStream, const Problem&, const float* w, float* turned);

// w: KRSC, in bf16 problems of values that bf16 can hold. bias: nullptr without one.
void implicit_gemm_forward(CudaStream, const Problem&, const void* x, const float* w, const float* bias,
                           void* y);
// dx is overwritten, or added to.
void implicit_gemm_backward_data(CudaStream, const Problem&, const void* dy, const float* turned, void* dx,
                                 bool accumulate);
// dw is overwritten, or added to. workspace: backward_weights_workspace_bytes, none for one split.
std::int64_t backward_weights_workspace_bytes(const Problem&);
void implicit_gemm_backward_weights(CudaStream, const Problem&, const void* x, const void* dy, float* dw,
                                    bool accumulate, void* workspace);

}  // namespace chiaro::conv2d::cuda
