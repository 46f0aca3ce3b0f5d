// Borders around pictures: filling, folding their gradients back, and cropping.
//
//   forward        y[n,i,j,c] = x[n, s(i), s(j), c]     s = pad_source on each axis (tensor.hpp)
//   backward       dx[n,h,w,c] (+)= sum of dy[n,i,j,c] over all (i,j) with s(i) = h, s(j) = w
//   crop_forward   y[n,i,j,c] = x[n, i+row0, j+col0, c]
//   crop_backward  dx[n, i+row0, j+col0, c] (+)= dy[n,i,j,c];  elements outside the window: 0 (+= 0)
//
// Layout: NHWC, dense. The tensors of one call may be fp32 or bf16 independently of each other; gradients are
// summed in fp32 and rounded once. A border must be smaller than the picture for Reflect; Replicate takes
// any.
// Deterministic: every output element is written by one thread, sums have a fixed order, so the bits do not
// depend on the number of threads either.
// Errors: chiaro::Error for missing tensors, shapes that do not fit, negative or too wide borders.
// Source: the boundary rules are those of NumPy's pad, modes "reflect" and "edge".
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::pad {

// x: (N,H,W,C), y: border.outer(x.shape), overwritten. x and y must not overlap.
void forward(Context&, ConstTensorView x, TensorView y, const Pad&);
// dy: border.outer(dx.shape), dx: (N,H,W,C), overwritten or added to.
void backward(Context&, ConstTensorView dy, TensorView dx, GradientMode, const Pad&);

// The same on one array: y is the outer tensor, its interior is already there, the border around it is
// filled.
void fill_in_place(Context&, TensorView y, const Pad&);
// Adds the border gradients of dy to its interior. The border keeps its contents.
void fold_in_place(Context&, TensorView dy, const Pad&);

// The window of y's shape at (row0, col0) of x. Same N and C.
void crop_forward(Context&, ConstTensorView x, TensorView y, std::int64_t row0, std::int64_t col0);
void crop_backward(Context&, ConstTensorView dy, TensorView dx, GradientMode, std::int64_t row0,
                   std::int64_t col0);

// Throws Error unless the border can be put around pictures of this shape. `op` begins the message.
void check(const char* op, const Pad&, const Shape& inner);

// Arguments are checked by the functions above.
namespace cpu {
void forward(ConstTensorView x, TensorView y, const Pad&);
void backward(ConstTensorView dy, TensorView dx, bool accumulate, const Pad&);
void fill_in_place(TensorView y, const Pad&);
void fold_in_place(TensorView dy, const Pad&);
void crop_forward(ConstTensorView x, TensorView y, std::int64_t row0, std::int64_t col0);
void crop_backward(ConstTensorView dy, TensorView dx, bool accumulate, std::int64_t row0, std::int64_t col0);
}  // namespace cpu

}  // namespace chiaro::pad
