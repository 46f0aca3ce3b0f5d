// Output nonlinearity that squeezes anything into a little more than the pixel range.
//   y = 150 * tanh(x) + 127.5                    dx (+)= dy * 150 * (1 - t^2), t = (y - 127.5) / 150
// Layout: any dense shape. x, y, dx, dy: same shape, fp32 or bf16 each. Computed in fp32, rounded once; tanh to an
// absolute error of about 1e-7.
// NaN stays NaN. Backward reads y, not x. dx follows its GradientMode.
// Deterministic: with any number of threads.
// Workspace: none.
// Source: lengstrom/fast-style-transfer, src/transform.py.
#pragma once
#include "kernels/common/context.hpp"
#include "kernels/common/tensor_view.hpp"

namespace chiaro::tanh_output {

inline constexpr float kAmplitude = 150.f, kCenter = 127.5f;

void forward(Context& context, ConstTensorView x, TensorView y);
void backward(Context& context, ConstTensorView y, ConstTensorView dy, TensorView dx, GradientMode mode);

namespace cpu {
void forward(ConstTensorView x, TensorView y);
void backward(ConstTensorView y, ConstTensorView dy, TensorView dx, bool accumulate);
}  // namespace cpu

}  // namespace chiaro::tanh_output
