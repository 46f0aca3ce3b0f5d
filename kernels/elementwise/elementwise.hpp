// Ops that make each element from the same element of their inputs.
//
//   copy             y (+)= x
//   relu_forward     y    = max(0, x)              NaN stays NaN, so that a diverged run is noticed
//   relu_backward    dx (+)= dy where y > 0, else (+)= 0, reads y: it has the sign of x where they pass
//   tanh_output      y    = 150 * tanh(x) + 127.5  a little more than the range of pixels; NaN stays NaN
//   tanh_backward    dx (+)= dy * 150 * (1 - t^2)                t = (y - 127.5) / 150
//   channel_affine   y    = (x - mean[c]) * scale[c]             for example a network's input normalization
//   affine_backward  dx (+)= dy * scale[c]                       mean and scale get no gradients
//
// Layout: any dense one, NHWC for channel_affine; all tensors of a call have the same shape. mean, scale:
// (C), fp32.
// Types: fp32 or bf16 each; relu's all the same. Computed in fp32, rounded once; tanh to an absolute error of
// 1e-7.
// In place: an output may be an input of the same type, where it is overwritten; copy's may not.
// Writes: outputs are overwritten or added to as their GradientMode says; Ignore does nothing.
// Workspace: none.
// Deterministic: element by element, independent of the number of threads.
// Errors: chiaro::Error for a missing tensor, a shape or a type that does not fit.
// Source: ReLU, Nair and Hinton, ICML 2010; the output, lengstrom/fast-style-transfer, src/transform.py.
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro {

void copy(Context&, ConstTensorView x, TensorView y, GradientMode = GradientMode::Overwrite);

void relu_forward(Context&, ConstTensorView x, TensorView y);
void relu_backward(Context&, ConstTensorView y, ConstTensorView dy, TensorView dx, GradientMode);

void tanh_output_forward(Context&, ConstTensorView x, TensorView y);
void tanh_output_backward(Context&, ConstTensorView y, ConstTensorView dy, TensorView dx, GradientMode);

void channel_affine_forward(Context&, ConstTensorView x, const float* mean, const float* scale, TensorView y);
void channel_affine_backward(Context&, ConstTensorView dy, const float* scale, TensorView dx, GradientMode);

}  // namespace chiaro
