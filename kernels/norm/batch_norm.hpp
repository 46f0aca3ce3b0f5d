// Batch normalization as inference does it, with fixed statistics, optionally followed by ReLU.
//   y[n,p,c] = scale[c] * (x[n,p,c] - mean[c]) / sqrt(variance[c] + eps) + offset[c], then max(0, y) if relu
//   dx (+)= dy * scale[c] / sqrt(variance[c] + eps), where relu let the value through (y > 0)
// Layout: NHWC, dense.  x, y, dx, dy: (N,H,W,C), fp32 or bf16 each.  Parameters: (C), fp32.
// Computed in fp32, rounded once.  y may be x.  Parameters get no gradients; dx follows its GradientMode.
// Deterministic, with any number of threads.  No workspace. On the CPU only: our networks fold it into their
// convolutions.
// Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 2.
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::batch_norm {

struct Parameters {
  const float *scale = nullptr, *offset = nullptr, *mean = nullptr, *variance = nullptr;  // (C)
  float eps = 1e-5f;
  bool relu = false;
};

void forward(Context& context, ConstTensorView x, const Parameters& parameters, TensorView y);

// y is read only with relu and may be absent without.
void backward(Context& context, ConstTensorView y, ConstTensorView dy, const Parameters& parameters,
              TensorView dx, GradientMode mode);

// Moves the normalization that follows a convolution into the convolution, on the host and in double:
//   w_out[k,...] = w[k,...] * a[k], b_out[k] = (b[k] - mean[k]) * a[k] + offset[k], a = scale / sqrt(variance
//   + eps)
// w, w_out: (K, filter_size) with filter_size = R*S*C of a KRSC filter; w_out may be w.  bias may be null
// (zero).
void fold(const float* w, const float* bias, std::int64_t filters, std::int64_t filter_size,
          const float* scale, const float* offset, const float* mean, const float* variance, float eps,
          float* w_out, float* b_out);

namespace cpu {
void forward(ConstTensorView x, const Parameters& parameters, TensorView y);
void backward(ConstTensorView y, ConstTensorView dy, const Parameters& parameters, TensorView dx,
              bool accumulate);
}  // namespace cpu

}  // namespace chiaro::batch_norm
