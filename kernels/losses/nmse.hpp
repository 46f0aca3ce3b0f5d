// Squared error of each picture relative to what is wanted of it, forward and backward.
//
//   value = scale * sum over n of |a_n - b_n|^2 / |b_n|^2         |.|^2: sum of squares over H*W*C
//   da_n (+)= 2 * scale * (a_n - b_n) / |b_n|^2
// So 0 is perfect, and a = 0 gives scale * N, whatever the size of b. A picture whose b is all 0 counts nothing.
// Layout: NHWC, dense. a, b: (N,H,W,C), each fp32 or bf16. da: (N,H,W,C), either type. value: one fp32, overwritten.
// inverse: (N) fp32, 1 / |b_n|^2 or 0; overwritten by forward and read by backward. Differences in fp32, sums in double
// over fixed blocks of each picture, added in block order: deterministic, with any number of threads. Gradients are
// computed in fp32, rounded once, and follow their GradientMode.
// Workspace: aligned to 8, contents need not be kept.
// Source: the normalized mean squared error; as a loss between features, Romero et al. 2015, arXiv:1412.6550, up to the
// normalization.
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::losses {

std::int64_t nmse_workspace_bytes(const Context&, Shape a);
void nmse_forward(Context& context, ConstTensorView a, ConstTensorView b, double scale, float* value,
                  float* inverse, void* workspace);
void nmse_backward(Context& context, ConstTensorView a, ConstTensorView b, const float* inverse, double scale,
                   TensorView da, GradientMode mode);

namespace cpu {
std::int64_t nmse_workspace_bytes(Shape a);
void nmse_forward(ConstTensorView a, ConstTensorView b, double scale, float* value, float* inverse,
                  void* workspace);
void nmse_backward(ConstTensorView a, ConstTensorView b, const float* inverse, double scale, TensorView da,
                   bool accumulate);
}  // namespace cpu

}  // namespace chiaro::losses
