// Nearest upsampling by two, and its fusion with the 3x3 convolution that follows.
//
//   forward    y[n,2i+a,2j+b,c] = x[n,i,j,c]                          a, b in {0, 1}
//   backward   dx[n,i,j,c] (+)= sum over a, b of dy[n,2i+a,2j+b,c]
//
// Layout: NHWC, dense. x, dx: (N,H,W,C), y, dy: (N,2H,2W,C), same dtype, fp32 or bf16; sums in fp32.
//
// Fusion: a 3x3 convolution (stride 1, reflected border of 1) of the upsampled picture sees each
// low-resolution pixel through two or more of its taps, always the same ones for one parity (a,b) of the
// output pixel. So it is four 2x2 convolutions of x with a replicated border of 1, and four ninths of the
// arithmetic:
//   w4[(2a+b)*K + k][u][v][c] = sum of w[k][r][s][c] over all (r,s) with (r+1-a)/2 = u, (s+1-b)/2 = v
//   (integers)
// that is, for a = 0 tap 0 falls on u = 0 and taps 1, 2 on u = 1; for a = 1 taps 0, 1 on u = 0 and tap 2 on u
// = 1. One valid 2x2 convolution with w4 gives (N,H+1,W+1,4K); pixel_shuffle.hpp takes phase (a,b) from row
// a, column b, channel (2a+b)*K of it.
// Deterministic: fixed order of every sum, independent of the number of threads.
// Errors: chiaro::Error for missing tensors and shapes or dtypes that do not fit.
// Source: Odena et al. 2016, "Deconvolution and Checkerboard Artifacts" (resize, then convolve); the folding
// is the sub-pixel identity of Shi et al. 2016, arXiv:1609.07009.
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::upsample {

void upsample_nearest_forward(Context&, ConstTensorView x, TensorView y);
void upsample_nearest_backward(Context&, ConstTensorView dy, TensorView dx, GradientMode);

// w: (K,3,3,C), w4: (4K,2,2,C), overwritten.
void fold_weights(Context&, const float* w, std::int64_t k, std::int64_t c, float* w4);
// dw: (K,3,3,C), overwritten or added to, from dw4: (4K,2,2,C). The transpose of fold_weights.
void unfold_gradient(Context&, const float* dw4, std::int64_t k, std::int64_t c, float* dw, GradientMode);

// Arguments are checked by the functions above.
namespace cpu {
void upsample_nearest_forward(ConstTensorView x, TensorView y);
void upsample_nearest_backward(ConstTensorView dy, TensorView dx, bool accumulate);
void fold_weights(const float* w, std::int64_t k, std::int64_t c, float* w4);
void unfold_gradient(const float* dw4, std::int64_t k, std::int64_t c, float* dw, bool accumulate);
}  // namespace cpu

}  // namespace chiaro::upsample
