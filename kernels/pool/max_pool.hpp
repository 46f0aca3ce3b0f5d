// Max pooling, forward and input gradient.
//   y[n,p,q,c] = max over r,s < window of x[n, p*stride - pad_top + r, q*stride - pad_left + s, c]
// Layout: NHWC, dense.  x: (N,H,W,C), y: (N,P,Q,C), same dtype, fp32 or bf16.  Padding counts as -infinity.
// P = floor((H + pad_top + pad_bottom - window) / stride) + 1, Q likewise.  Pads must be smaller than the
// window. A NaN in a window makes its maximum NaN. Backward reads x, y and dy; all of dy goes to the first
// element of the window, in row-major order, that equals the maximum (as PyTorch does).  Windows that overlap
// are added in fp32 and rounded once.  dx follows its GradientMode. `relu`: x is what a ReLU wrote, and dx
// gets the gradient before it, that is, 0 where x is not positive; this costs nothing here and saves the
// pass over dx that relu::backward takes. Deterministic, with any number of threads.  No workspace.
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::max_pool {

struct Attributes {
  std::int64_t window = 2, stride = 2;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
};

// TensorFlow's SAME padding: output extent ceil(extent / stride), the odd pixel of padding at the bottom and
// right.
Attributes tf_same(Shape x, std::int64_t window, std::int64_t stride);

// Throws Error when the attributes do not fit the picture.
Shape output_shape(Shape x, const Attributes& attributes);

void forward(Context& context, ConstTensorView x, TensorView y, const Attributes& attributes = {});

void backward(Context& context, ConstTensorView x, ConstTensorView y, ConstTensorView dy, TensorView dx,
              GradientMode mode, const Attributes& attributes = {}, bool relu = false);

namespace cpu {
void forward(ConstTensorView x, TensorView y, const Attributes& attributes);
void backward(ConstTensorView x, ConstTensorView y, ConstTensorView dy, TensorView dx, bool accumulate,
              const Attributes& attributes, bool relu);
}  // namespace cpu

}  // namespace chiaro::max_pool
