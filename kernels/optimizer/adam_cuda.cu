#include "kernels/optimizer/adam_cuda.hpp"

#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/grid_sum.cuh"

namespace chiaro::adam::cuda {

namespace {

struct Step {
  Factors constant;
  const Factors* current;  // on the device; null: constant
  const float* grad;
  float *param, *m, *v;
  bf16* copy;

  template <int V>
  __device__ void run(std::int64_t i) const {
    const Factors f = current ? *current : constant;
    float g[V], p[V], mean[V], square[V];
    load<V>(grad + i, g);
    load<V>(param + i, p);
    load<V>(m + i, mean);
    load<V>(v + i, square);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      mean[k] = f.beta1 * mean[k] + f.one_minus_beta1 * g[k];
      square[k] = f.beta2 * square[k] + f.one_minus_beta2 * g[k] * g[k];
      const float update = f.step_size * mean[k] / (sqrtf(square[k]) * f.inverse_root_correction + f.eps);
      p[k] -= update + f.decay * p[k];
    }
    store<V>(param + i, p);
    store<V>(m + i, mean);
    store<V>(v + i, square);
    if (copy) store<V>(copy + i, p);
  }
};

void run(CudaStream stream, const Step& op, std::int64_t count) {
  launch_elementwise<4>("adam_step", stream, op, count,
                        all_aligned(op.grad, op.param, op.m, op.v) && is_aligned(op.copy, 8));
}

struct Squares {
  const float* grad;

  template <int V>
  __device__ double run(std::int64_t i) const {
    float g[V];
    load<V>(grad + i, g);
    double sum = 0;
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) sum += double(g[k]) * double(g[k]);
    return sum;
  }
};

}  // namespace

void step(CudaStream stream, const Factors& factors, std::int64_t count, const float* grad, float* param,
          float* m, float* v, bf16* copy) {
  run(stream, {factors, nullptr, grad, param, m, v, copy}, count);
}

void step(CudaStream stream, const Factors* factors, std::int64_t count, const float* grad, float* param,
          float* m, float* v, bf16* copy) {
  run(stream, {{}, factors, grad, param, m, v, copy}, count);
}

std::int64_t gradient_norm_workspace_bytes() {
  return kGridSumBytes;
}

void gradient_norm(CudaStream stream, std::int64_t count, const float* grad, double* norm, void* workspace) {
  launch_grid_sum<4>("gradient_squares", stream, Squares{grad}, count, is_aligned(grad), workspace, norm,
                     true);
}

}  // namespace chiaro::adam::cuda
