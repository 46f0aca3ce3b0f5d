// Batch normalization as training does it, with the statistics of the batch, fused with a residual sum and
// ReLU: forward and backward.
//
//   z[p,c] = scale[c] * (x[p,c] - mean[c]) * rstd[c] + offset[c]       p = pixel of the batch, (n*H + h)*W +
//   w y      = act( z + residual )                                       act = ReLU or identity
//   running_mean[c]     = (1 - momentum) * running_mean[c]     + momentum * mean[c]
//   running_variance[c] = (1 - momentum) * running_variance[c] + momentum * variance[c] * P / (P - 1)
//
// P = N*H*W pixels. mean and variance are over all P pixels; the biased variance normalizes, rstd =
// 1/sqrt(variance + eps), and the unbiased one runs, as in PyTorch.
// Layout: NHWC, dense. x, residual, y and their gradients: (N,H,W,C), all of one dtype, fp32 or bf16.
// Everything else: (C), fp32. Tensors must not overlap. Statistics are those of instance_norm over the batch
// as one picture: two passes over blocks that fit the cache, merged in double. Backward reads x, mean, rstd,
// scale, dy, and with relu y, whose positive elements are the mask. With g = dy where y > 0 (everywhere
// without relu):
//   doffset = sum_p g,  dscale = sum_p g * xhat,                        xhat = (x - mean) * rstd
//   dx = scale * rstd * ( g - mean_p(g) - xhat * mean_p(g * xhat) ),    dresidual = g
// Gradients follow their GradientMode.
// NaN stays NaN. Passes over memory: forward reads x twice, residual once, writes y once; backward reads x,
// dy and y twice, writes dx and dresidual once.
// Workspace: partial sums, aligned for double, used during the call only.
// Deterministic: blocks depend on shapes only and are added in order, so the bits do not depend on the number
// of threads.
// Errors: chiaro::Error for missing arguments, shapes or dtypes that do not fit, and a batch of one pixel,
// which has no variance.
// Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1; the sum before the ReLU: He et al. 2016,
// arXiv:1512.03385, figure 2.
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::batch_norm::training {

struct Attributes {
  float eps = 1e-5f;
  float momentum = 0.1f;  // of the batch: 1 forgets everything before
  bool relu = false;
};

struct ForwardArgs {
  ConstTensorView x;
  const float* scale = nullptr;
  const float* offset = nullptr;
  ConstTensorView residual = {};      // optional
  TensorView y;                       // overwritten
  float* mean = nullptr;              // overwritten, for backward
  float* rstd = nullptr;              // overwritten, for backward
  float* running_mean = nullptr;      // updated; both or neither
  float* running_variance = nullptr;  // updated
  void* workspace = nullptr;
  Attributes attr = {};
};
std::int64_t forward_workspace_bytes(const Context&, const Shape& x);
void forward(Context&, const ForwardArgs&);

struct BackwardArgs {
  ConstTensorView x;
  ConstTensorView y = {};  // with relu only
  const float* scale = nullptr;
  const float* mean = nullptr;
  const float* rstd = nullptr;
  ConstTensorView dy;
  TensorView dx = {};
  GradientMode dx_mode = GradientMode::Overwrite;
  float* dscale = nullptr;
  float* doffset = nullptr;
  GradientMode param_mode = GradientMode::Overwrite;
  TensorView dresidual = {};
  GradientMode dresidual_mode = GradientMode::Ignore;
  void* workspace = nullptr;
  Attributes attr = {};
};
std::int64_t backward_workspace_bytes(const Context&, const Shape& x);
void backward(Context&, const BackwardArgs&);

// Arguments are checked by the functions above.
namespace cpu {
std::int64_t forward_workspace_bytes(const Shape& x);
std::int64_t backward_workspace_bytes(const Shape& x);
void forward(Context&, const ForwardArgs&);
void backward(const BackwardArgs&);
}  // namespace cpu

}  // namespace chiaro::batch_norm::training
