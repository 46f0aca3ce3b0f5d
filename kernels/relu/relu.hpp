// Rectified linear unit.
//
//   forward    y = max(0, x)                       NaN stays NaN, so that a diverged run is noticed
//   backward   dx (+)= dy where y > 0, else (+)= 0
//
// Layout: any; all tensors of one call have the same shape and dtype, fp32 or bf16.
// In place: y may be x; dx may be dy with GradientMode::Overwrite.
// Deterministic: element by element, independent of the number of threads.
// Errors: chiaro::Error for a missing tensor, a shape or a dtype that differs.
// Source: Nair and Hinton, ICML 2010.
#pragma once
#include "kernels/common/context.hpp"
#include "kernels/common/tensor_view.hpp"

namespace chiaro::relu {

void forward(Context&, ConstTensorView x, TensorView y);
// Reads the output y instead of x: it has the same sign where the gradient passes.
void backward(Context&, ConstTensorView y, ConstTensorView dy, TensorView dx, GradientMode);

// Arguments are checked by the functions above.
namespace cpu {
void forward(ConstTensorView x, TensorView y);
void backward(ConstTensorView y, ConstTensorView dy, TensorView dx, bool accumulate);
}  // namespace cpu

}  // namespace chiaro::relu
