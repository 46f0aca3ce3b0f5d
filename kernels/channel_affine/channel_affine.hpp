// Fixed per-channel shift and scale, for example a network's input normalization.
//   y[n,p,c] = (x[n,p,c] - mean[c]) * scale[c]          dx (+)= dy * scale[c]
// Layout: NHWC, dense.  x, y, dx, dy: (N,H,W,C), fp32 or bf16 each; x and y may differ.  mean, scale: (C),
// fp32. Computed in fp32, rounded once.  y may be x.  dx follows its GradientMode; mean and scale get no
// gradients. Deterministic, with any number of threads.  No workspace.
#pragma once
#include "kernels/common/context.hpp"
#include "kernels/common/tensor_view.hpp"

namespace chiaro::channel_affine {

void forward(Context& context, ConstTensorView x, const float* mean, const float* scale, TensorView y);
void backward(Context& context, ConstTensorView dy, const float* scale, TensorView dx, GradientMode mode);

namespace cpu {
void forward(ConstTensorView x, const float* mean, const float* scale, TensorView y);
void backward(ConstTensorView dy, const float* scale, TensorView dx, bool accumulate);
}  // namespace cpu

}  // namespace chiaro::channel_affine
