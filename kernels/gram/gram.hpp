// Gram matrices of feature maps, forward and backward.
//   g[n,i,j] = scale * sum over p of f[n,p,i] * f[n,p,j]                            p = h*W + w
//   df[n,p,i] (+)= 2 * scale * sum over j of f[n,p,j] * dg[n,j,i]                   dg symmetric
// Layout: NHWC, dense. f, df: (N,H,W,C), fp32 or bf16, the same for both. g, dg: (N,C,C), fp32; g is
// overwritten.
// Forward: each picture's rows are cut into fixed chunks; the chunks' products are added in fp32, in chunk
// order. Only blocks on and above the diagonal are computed, then mirrored: g is exactly symmetric.
// Backward: dg is assumed symmetric and not checked. Sums in fp32, bf16 df (accumulated or not) is rounded
// once. dg may be scaled by the caller's loss. df follows its GradientMode.
// Workspace: as many bytes as the functions below say, aligned to 64; contents need not be kept.
// Deterministic: with any number of threads.
// Source: Gatys et al. 2016, "Image style transfer using convolutional neural networks", equations 3 and 6.
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::gram {

std::int64_t forward_workspace_bytes(const Context&, Shape f);
std::int64_t backward_workspace_bytes(const Context&, Shape f, DType dtype);

void forward(Context& context, ConstTensorView f, float* g, float scale, void* workspace);

void backward(Context& context, ConstTensorView f, const float* dg, float scale, TensorView df,
              GradientMode mode, void* workspace);

namespace cpu {
std::int64_t forward_workspace_bytes(Shape f);
std::int64_t backward_workspace_bytes(Shape f, DType dtype);
void forward(Context& context, ConstTensorView f, float* g, float scale, void* workspace);
void backward(Context& context, ConstTensorView f, const float* dg, float scale, TensorView df,
              bool accumulate, void* workspace);
}  // namespace cpu

}  // namespace chiaro::gram
