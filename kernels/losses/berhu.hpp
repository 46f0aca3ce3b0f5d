// Reverse Huber (berHu) loss of predicted depth against measured depth with holes, forward and backward.
//
//   d = prediction - target where target > 0 (valid pixels, m of them);  c = 0.2 * max |d| over the batch
//   value       = scale / m * sum over valid pixels of B(d)    B(d) = |d|                  for |d| <= c
//                                                                     (d^2 + c^2) / (2 c)  beyond
//   dprediction (+)= scale / m * B'(d)                         B'(d) = sign(d) or d / c;   0 where invalid
//
// The gradient treats c as a constant, as is usual, though it depends on the largest residual. No valid pixel: value 0,
// gradient 0. A NaN in the target is invalid, one in the prediction at a valid pixel makes the value NaN.
// Layout: prediction (N,H,W,C), fp32 or bf16; target the same shape, fp32; dprediction either dtype.
// Writes: value, one fp32, and state, c and 1 / m, fp32, which backward reads; both overwritten. The gradient is computed
// in fp32, rounded once, and follows its GradientMode.
// Passes over memory: two in forward, because c comes first.
// Deterministic: differences in fp32, sums in double over fixed blocks that are added in order, with any number of
// threads.
// Workspace: aligned to 8, contents need not be kept.
// Source: Laina et al. 2016, arXiv:1606.00373, equation 2 and section 3.3.
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::losses {

inline constexpr float kBerhuFraction = 0.2f;  // of the largest |d|
inline constexpr int kBerhuStateSize = 2;

std::int64_t berhu_workspace_bytes(const Context&, Shape prediction);
void berhu_forward(Context& context, ConstTensorView prediction, ConstTensorView target, double scale,
                   float* value, float* state, void* workspace);
void berhu_backward(Context& context, ConstTensorView prediction, ConstTensorView target, const float* state,
                    double scale, TensorView dprediction, GradientMode mode);

namespace cpu {
std::int64_t berhu_workspace_bytes(Shape prediction);
void berhu_forward(ConstTensorView prediction, ConstTensorView target, double scale, float* value,
                   float* state, void* workspace);
void berhu_backward(ConstTensorView prediction, ConstTensorView target, const float* state, double scale,
                    TensorView dprediction, bool accumulate);
}  // namespace cpu

}  // namespace chiaro::losses
