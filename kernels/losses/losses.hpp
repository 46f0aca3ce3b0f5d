// Scalar losses over activations: squared difference, total variation, and values outside a range; value, gradient, or
// both at once.
//
// mse:  value = scale * sum over all of a of (a - b)^2                    da (+)= 2 * scale * (a - b)
// tv:   value = scale * (sum dx^2 / (N*H*(W-1)*C) + sum dy^2 / (N*(H-1)*W*C)),
//       dx = x[n,h,w+1,c] - x[n,h,w,c], dy = x[n,h+1,w,c] - x[n,h,w,c]; an axis of extent 1 adds nothing
// range: value = scale * sum over all of x of e(x)^2,  e(x) = x - min(max(x, low), high)       dx (+)= 2 * scale * e(x)
// Layout: NHWC, dense. a, b, x: (N,H,W,C); b may have N = 1 and then serves every picture. Each may be fp32 or bf16,
// and gradients may differ from their inputs. The mean over a is scale = 1 / count.
// Writes: value, one fp32, overwritten; gradients, computed in fp32 and rounded once, follow their GradientMode; da may
// be a.
// Deterministic: sums in double over fixed blocks, added in block order, with any number of threads.
// x_forward_backward gives the value of x_forward with `scale` and the gradient of x_backward with weight * scale, the
// same bits, and goes through its tensors once.
// Workspace: as many bytes as the functions below say, aligned to 8; contents need not be kept.
// Source: Johnson et al. 2016, arXiv:1603.08155, section 3.2; total variation in lengstrom/fast-style-transfer's mean
// form.
// NaN: e(NaN) = NaN.
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::losses {

std::int64_t mse_workspace_bytes(const Context&, Shape a);
void mse_forward(Context& context, ConstTensorView a, ConstTensorView b, double scale, float* value,
                 void* workspace);
void mse_backward(Context& context, ConstTensorView a, ConstTensorView b, double scale, TensorView da,
                  GradientMode mode);

std::int64_t tv_workspace_bytes(const Context&, Shape x);
void tv_forward(Context& context, ConstTensorView x, double scale, float* value, void* workspace);
void tv_backward(Context& context, ConstTensorView x, double scale, TensorView dx, GradientMode mode);

void mse_forward_backward(Context& context, ConstTensorView a, ConstTensorView b, double scale, double weight,
                          float* value, void* workspace, TensorView da, GradientMode mode);
void tv_forward_backward(Context& context, ConstTensorView x, double scale, double weight, float* value,
                         void* workspace, TensorView dx, GradientMode mode);

// Writes what is asked for: value unless it is null, which wants the workspace too, and the gradient of weight * value
// as the mode says.
std::int64_t range_workspace_bytes(const Context&, Shape x);
struct RangeArgs {
  ConstTensorView x;
  float low = 0, high = 255;
  double scale = 1, weight = 1;
  float* value = nullptr;
  void* workspace = nullptr;
  TensorView dx = {};
  GradientMode mode = GradientMode::Ignore;
};
void range(Context& context, const RangeArgs& args);

namespace cpu {
std::int64_t mse_workspace_bytes(Shape a);
void mse_forward(ConstTensorView a, ConstTensorView b, double scale, float* value, void* workspace);
void mse_backward(ConstTensorView a, ConstTensorView b, double scale, TensorView da, bool accumulate);
std::int64_t tv_workspace_bytes(Shape x);
void tv_forward(ConstTensorView x, double scale, float* value, void* workspace);
void tv_backward(ConstTensorView x, double scale, TensorView dx, bool accumulate);
void mse_forward_backward(ConstTensorView a, ConstTensorView b, double scale, double weight, float* value,
                          void* workspace, TensorView da, bool accumulate);
void tv_forward_backward(ConstTensorView x, double scale, double weight, float* value, void* workspace,
                         TensorView dx, bool accumulate);
std::int64_t range_workspace_bytes(Shape x);
void range(const RangeArgs& args);
}  // namespace cpu

}  // namespace chiaro::losses
