// The Adam optimizer, one fused pass over a slab of parameters, and the norm of a gradient slab.
//   m = beta1 * m + (1 - beta1) * g
//   v = beta2 * v + (1 - beta2) * g^2
//   p = p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps) - lr * weight_decay * p
// t = 1 for the first step.
// grad, param, m, v: `count` fp32 each; param, m and v are updated in place; m and v are zero
// before step 1.  copy: `count` bf16, the rounded new parameters, or null.
// Corrections and step size are computed in double on the host, the rest in fp32.
// Deterministic, with any number of threads.
// Source: Kingma & Ba 2015, arXiv:1412.6980, algorithm 1.  eps is placed as in PyTorch's torch.optim.Adam and
// as in algorithm 1, outside the corrected root; TensorFlow 1 uses the form at the end of section 2 of the
// paper, where eps is added to the uncorrected root and so is larger by 1 / sqrt(1 - beta2^t).  The decay is
// decoupled from the gradient: Loshchilov & Hutter 2019, arXiv:1711.05101, in the form of torch.optim.AdamW.
#pragma once
#include <cstdint>

#include "kernels/base/bf16.hpp"
#include "kernels/base/context.hpp"

namespace chiaro::adam {

// double, because fp32 has 0.999 with an error of 5e-5 in 1 - beta2.
struct Hyper {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
};

void step(Context& context, const Hyper& hyper, std::int64_t t, std::int64_t count, const float* grad,
          float* param, float* m, float* v, bf16* copy = nullptr);

// Euclidean norm; summed in double over fixed blocks, in block order. `norm` lies where the gradient does; it
// is there when the queued work is done. Workspace: aligned for double, null where it has no bytes.
std::int64_t gradient_norm_workspace_bytes(const Context& context);
void gradient_norm(Context& context, std::int64_t count, const float* grad, double* norm, void* workspace);
// The same, brought to the host: with a CUDA context it allocates a few KiB, waits for everything that is
// queued, and so cannot be captured.
double gradient_norm(Context& context, std::int64_t count, const float* grad);

// The three fp32 factors of the update that change from step to step, and the constant ones.
struct Factors {
  float beta1, one_minus_beta1, beta2, one_minus_beta2, step_size, inverse_root_correction, eps, decay;
};
Factors factors(const Hyper& hyper, std::int64_t t);
// A step whose factors lie where the parameters do and are read when it runs: captured once (see
// base/cuda_graph_exec.hpp), it can be replayed with those of every step.
void step(Context& context, const Factors* factors, std::int64_t count, const float* grad, float* param,
          float* m, float* v, bf16* copy = nullptr);

namespace cpu {
void step(const Factors& factors, std::int64_t count, const float* grad, float* param, float* m, float* v,
          bf16* copy);
double gradient_norm(std::int64_t count, const float* grad);
}  // namespace cpu

}  // namespace chiaro::adam
