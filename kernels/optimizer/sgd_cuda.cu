#include "kernels/optimizer/sgd_cuda.hpp"

#include "kernels/cuda/elementwise.cuh"

namespace chiaro::sgd::cuda {

namespace {

struct Step {
  Factors constant;
  const Factors* current;  // on the device; null: constant
  const float* grad;
  float *param, *velocity;

  template <int V>
  __device__ void run(std::int64_t i) const {
    const Factors f = current ? *current : constant;
    float g[V], p[V], v[V];
    load<V>(grad + i, g);
    load<V>(param + i, p);
    load<V>(velocity + i, v);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      v[k] = f.momentum * v[k] + g[k];
      p[k] -= f.lr * (v[k] + f.weight_decay * p[k]);
    }
    store<V>(param + i, p);
    store<V>(velocity + i, v);
  }
};

void run(CudaStream stream, const Step& op, std::int64_t count) {
  launch_elementwise<4>("sgd_step", stream, op, count, all_aligned(op.grad, op.param, op.velocity));
}

}  // namespace

void step(CudaStream stream, const Factors& factors, std::int64_t count, const float* grad, float* param,
          float* velocity) {
  run(stream, {factors, nullptr, grad, param, velocity}, count);
}

void step(CudaStream stream, const Factors* factors, std::int64_t count, const float* grad, float* param,
          float* velocity) {
  run(stream, {{}, factors, grad, param, velocity}, count);
}

}  // namespace chiaro::sgd::cuda
