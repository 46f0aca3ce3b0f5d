// Instance normalization fused with ReLU, residual sum and border filling: forward, backward, and the pieces
// for pictures that are processed in bands of rows.
//
//   z[n,p,c] = gamma[c] * (x[n,p,c] - mean[n,c]) * rstd[n,c] + beta[c]            p = pixel h*W + w
//   y        = fill( residual + act(z), out_pad )                              act = ReLU or identity
//
// Layout: NHWC, dense. x: (N,H,W,C); y, dy: out_pad.outer(x.shape); residual, dresidual:
// residual_pad.outer(x.shape), of which forward reads the interior. All of one dtype, fp32 or bf16; gamma,
// beta, dgamma, dbeta: (C), or (N,C) with per_picture, and mean, rstd: (N,C) are fp32. Tensors must not
// overlap unless said below.
// Statistics: over H*W, biased variance, rstd = 1/sqrt(variance + eps). Two passes over blocks that fit the
// cache, merged in double in block order (Chan et al. 1979): right for a large mean with a small variance
// too. Backward reads x, mean, rstd, gamma, beta, dy; the ReLU mask is recomputed. With g = act'(z) * folded
// dy:
//   dbeta = sum_{n,p} g,  dgamma = sum_{n,p} g * xhat,                            xhat = (x - mean) * rstd
//   (sum_p alone with per_picture)
//   dx = gamma * rstd * ( g - mean_p(g) - xhat * mean_p(g * xhat) ),  dresidual = folded dy
// Gradients follow their GradientMode.
// Workspace: partial sums, aligned for double, used during the call only.
// NaN stays NaN.
// Deterministic: block sizes depend on shapes only, partial sums are added in block order, so the bits do not
// depend on the number of threads.
// Errors: chiaro::Error for missing arguments, shapes or dtypes that do not fit, borders too wide.
// Source: Ulyanov et al. 2016, arXiv:1607.08022.
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::instance_norm {

struct Attributes {
  float eps = 1e-5f;
  bool relu = false;
  bool per_picture = false;  // every picture has a gamma and a beta of its own
  Pad out_pad = {};
  Pad residual_pad = {};
};

struct ForwardArgs {
  ConstTensorView x;
  const float* gamma = nullptr;
  const float* beta = nullptr;
  ConstTensorView residual = {};  // optional
  TensorView y;                   // overwritten
  float* mean = nullptr;          // (N,C), overwritten
  float* rstd = nullptr;          // (N,C), overwritten
  void* workspace = nullptr;
  Attributes attr = {};
};
std::int64_t forward_workspace_bytes(const Context&, const Shape& x);
void forward(Context&, const ForwardArgs&);

struct BackwardArgs {
  ConstTensorView x;
  const float* gamma = nullptr;
  const float* beta = nullptr;
  const float* mean = nullptr;
  const float* rstd = nullptr;
  TensorView dy;  // border gradients are folded into the interior, on the CPU in place
  TensorView dx = {};
  GradientMode dx_mode = GradientMode::Overwrite;
  float* dgamma = nullptr;
  float* dbeta = nullptr;
  GradientMode param_mode = GradientMode::Overwrite;
  TensorView dresidual = {};                           // optional
  GradientMode dresidual_mode = GradientMode::Ignore;  // Overwrite also zeroes its border
  void* workspace = nullptr;
  Attributes attr = {};
};
std::int64_t backward_workspace_bytes(const Context&, const Shape& x);
void backward(Context&, const BackwardArgs&);

// --- One picture in bands of rows: moments of every band, then finish, then apply to every band. On the CPU
// only: bands are how large pictures stay in its memory.

// Running statistics of one picture. Start with count = 0; the arrays need no initial contents.
struct Moments {
  double* mean = nullptr;  // (C)
  double* m2 = nullptr;    // (C), sum of squared deviations from the mean
  std::int64_t count = 0;  // pixels so far
};
// Adds the pixels of band: (1,rows,W,C). Its last bits depend on where the bands are cut.
std::int64_t moments_workspace_bytes(const Shape& band);
void accumulate_moments(Context&, ConstTensorView band, Moments& moments, void* workspace);
// Adds the pixels that `part` has seen: bands may be measured in any order and are then merged in theirs.
void merge_moments(const Moments& part, std::int64_t channels, Moments& into);
// mean, rstd: (C), overwritten.
void finish_moments(const Moments&, std::int64_t channels, float eps, float* mean, float* rstd);

// y = residual + act(gamma * (x - mean) * rstd + beta) on a dense band, without borders.
struct ApplyArgs {
  ConstTensorView x;  // (1,rows,W,C)
  const float* gamma = nullptr;
  const float* beta = nullptr;
  const float* mean = nullptr;    // (C)
  const float* rstd = nullptr;    // (C)
  ConstTensorView residual = {};  // optional, shape of x
  TensorView y;                   // shape of x, overwritten; may be x or residual
  bool relu = false;
};
void apply_rows(Context&, const ApplyArgs&);

// Arguments are checked by the functions above.
namespace cpu {
std::int64_t forward_workspace_bytes(const Shape& x);
std::int64_t backward_workspace_bytes(const Shape& x);
void forward(Context&, const ForwardArgs&);
void backward(Context&, const BackwardArgs&);
void accumulate_moments(ConstTensorView band, Moments& moments, void* workspace);
void apply_rows(const ApplyArgs&);
}  // namespace cpu

}  // namespace chiaro::instance_norm
