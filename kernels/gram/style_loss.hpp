// The style loss of feature maps: their Gram matrices against those of the style, value and gradient in one.
//   g[n,i,j]  = scale * sum over p of f[n,p,i] * f[n,p,j]                              p = h*W + w
//   value     = coefficient * sum over n,i,j of (g[n,i,j] - target[i,j])^2
//   dg[n,i,j] = 2 * gradient_coefficient * (g[n,i,j] - target[i,j])
// With per_picture every picture has a target of its own, a factor k[n] of its loss, and a value:
//   value[n]  = coefficient * k[n] * sum over i,j of (g[n,i,j] - target[n,i,j])^2,  dg times k[n] likewise
// dg is what gram::backward then takes to df, with the same scale; the gradient's coefficient is one of its
// own because a loss is reported without the weight that it is trained with.
// Layout: NHWC, dense. f: (N,H,W,C), fp32 or bf16. target: (C,C), fp32, symmetric and not checked. value: one
// fp32, dg: (N,C,C), fp32, exactly symmetric; both overwritten. With per_picture target: (N,C,C), k, value:
// (N). Sums as gram::forward and losses::mse: deterministic, with any number of threads.
// Workspace: as many bytes as the function below says, aligned to 64; contents need not be kept.
// Source: Gatys et al. 2016, "Image style transfer using convolutional neural networks", equations 3 to 6;
// Johnson et al. 2016, arXiv:1603.08155, equation 4.
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::gram {

struct StyleLossArgs {
  ConstTensorView f;
  const float* target = nullptr;
  float scale = 1;
  double coefficient = 1, gradient_coefficient = 1;
  float* value = nullptr;
  float* dg = nullptr;
  void* workspace = nullptr;
  bool per_picture = false;
  const float* k = nullptr;  // read with per_picture
};

std::int64_t style_loss_workspace_bytes(const Context& context, Shape f);
void style_loss(Context& context, const StyleLossArgs& args);

// Arguments are checked by the functions above.
namespace cpu {
std::int64_t style_loss_workspace_bytes(Shape f);
void style_loss(Context& context, const StyleLossArgs& args);
}  // namespace cpu

}  // namespace chiaro::gram
