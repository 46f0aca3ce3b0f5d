// Scalar losses over activations. Each is one function that writes what its Request asks for: value,
// gradient, or both.
//
// mse:   L = sum over all of a of (a - b)^2               the mean over a is scale = 1 / count
// tv:    L = sum dx^2 / (N*H*(W-1)*C) + sum dy^2 / (N*(H-1)*W*C),
//        dx = x[n,h,w+1,c] - x[n,h,w,c], dy = x[n,h+1,w,c] - x[n,h,w,c]; an axis of extent 1 adds nothing
// range: L = sum over all of x of e(x)^2,  e(x) = x - min(max(x, low), high)
// nmse:  L = sum over n of |a_n - b_n|^2 / |b_n|^2         |.|^2: sum of squares over H*W*C; 0 is perfect,
//        a = 0 gives N, whatever the size of b; a picture whose b is all 0 counts nothing
// berhu: L = mean over the pixels with target > 0 of B(d),  d = prediction - target,
//        c = 0.2 * max |d| over the batch
//        B(d) = |d| for |d| <= c, (d^2 + c^2) / (2 c) beyond
//        The gradient treats c as a constant, as is usual, though it depends on the largest residual. No such
//        pixel: value 0, gradient 0. NaN in the target is no depth.
// Layout: NHWC, dense. All tensors (N,H,W,C), each fp32 or bf16, gradients too; the b of mse may have N = 1
//   and then serves every picture; the target of berhu is fp32.
// Writes: value = scale * L, one fp32, overwritten; gradient (+)= gradient_scale * dL, with respect to the
//   first tensor, computed in fp32 and rounded once. It may be that tensor itself. The same bits whether
//   asked for alone or together.
// Passes over memory: one; nmse and berhu one more for the gradient or, in berhu, the value.
// Workspace: as many bytes as the functions below say, aligned to 8; contents need not be kept. mse, tv and
//   range need it for the value only.
// Deterministic: differences in fp32, sums in double over fixed blocks that are added in order, with any
//   number of threads.
// NaN: stays NaN, but for predictions where berhu has no target.
// Source: Johnson et al. 2016, arXiv:1603.08155, section 3.2; total variation in the mean form of
//   lengstrom/fast-style-transfer; nmse between features: Romero et al. 2015, arXiv:1412.6550, up to the
//   normalization; berHu: Laina et al. 2016, arXiv:1606.00373, equation 2 and section 3.3.
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::losses {

inline constexpr float kBerhuFraction = 0.2f;  // of the largest |d|

// Not wanted: a value that is null, a gradient of mode Ignore. The gradient has a scale of its own, because a
// loss is reported without the weight that it is trained with.
struct Request {
  float* value = nullptr;
  double scale = 1;
  TensorView gradient = {};
  GradientMode mode = GradientMode::Ignore;
  double gradient_scale = 1;
  void* workspace = nullptr;

  bool wants_gradient() const { return mode != GradientMode::Ignore; }
  bool accumulates() const { return mode == GradientMode::Accumulate; }
  DType gradient_dtype() const { return wants_gradient() ? gradient.dtype : DType::F32; }
  // Where the gradient goes, null where none is wanted.
  template <class T>
  T* gradient_as() const {
    return wants_gradient() ? gradient.as<T>() : nullptr;
  }
};

std::int64_t mse_workspace_bytes(const Context&, Shape a);
std::int64_t tv_workspace_bytes(const Context&, Shape x);
std::int64_t range_workspace_bytes(const Context&, Shape x);
std::int64_t nmse_workspace_bytes(const Context&, Shape a);
std::int64_t berhu_workspace_bytes(const Context&, Shape prediction);

void mse(Context&, ConstTensorView a, ConstTensorView b, const Request&);
void tv(Context&, ConstTensorView x, const Request&);
void range(Context&, ConstTensorView x, float low, float high, const Request&);
void nmse(Context&, ConstTensorView a, ConstTensorView b, const Request&);
void berhu(Context&, ConstTensorView prediction, ConstTensorView target, const Request&);

// Arguments are checked by the functions above.
namespace cpu {
std::int64_t mse_workspace_bytes(Shape a);
std::int64_t tv_workspace_bytes(Shape x);
std::int64_t range_workspace_bytes(Shape x);
std::int64_t nmse_workspace_bytes(Shape a);
std::int64_t berhu_workspace_bytes(Shape prediction);
void mse(ConstTensorView a, ConstTensorView b, const Request&);
void tv(ConstTensorView x, const Request&);
void range(ConstTensorView x, float low, float high, const Request&);
void nmse(ConstTensorView a, ConstTensorView b, const Request&);
void berhu(ConstTensorView prediction, ConstTensorView target, const Request&);
}  // namespace cpu

}  // namespace chiaro::losses
