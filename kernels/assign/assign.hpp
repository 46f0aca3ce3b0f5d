// One tensor into another, or added to it.
//
//   y = x, or y += x                 as the GradientMode says; Ignore does nothing
//
// Layout: any; both tensors have the same shape; each is fp32 or bf16. Added in fp32, rounded once. y must not overlap
// x.
// Deterministic: element by element, independent of the number of threads.
// Errors: chiaro::Error for a missing tensor or shapes that differ.
#pragma once
#include "kernels/common/context.hpp"
#include "kernels/common/tensor_view.hpp"

namespace chiaro::assign {

void run(Context&, ConstTensorView x, TensorView y, GradientMode);

// Arguments are checked by the function above.
namespace cpu {
void run(ConstTensorView x, TensorView y, bool accumulate);
}  // namespace cpu

}  // namespace chiaro::assign
