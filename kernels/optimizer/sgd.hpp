// Stochastic gradient descent with momentum, one fused pass over a slab of parameters.
//   v = momentum * v + g
//   p = p - lr * (v + weight_decay * p)
// grad, param, velocity: `count` fp32 each; param and velocity are updated in place; velocity is zero before
// the first step. momentum = 0 is plain gradient descent. All in fp32. Deterministic, with any number of
// threads.
// Source: Polyak 1964; the form of PyTorch's torch.optim.SGD with dampening 0, in which a change of the
// learning rate acts at once on the whole velocity.  Unlike there, the decay does not enter the velocity:
// Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 1, SGDW.
#pragma once
#include <cstdint>

#include "kernels/base/context.hpp"

namespace chiaro::sgd {

struct Hyper {
  double lr = 1e-2, momentum = 0.9, weight_decay = 0;
};

void step(Context& context, const Hyper& hyper, std::int64_t count, const float* grad, float* param,
          float* velocity);

struct Factors {
  float lr, momentum, weight_decay;
};
Factors factors(const Hyper& hyper);
// A step whose factors lie where the parameters do and are read when it runs: captured once (see
// base/cuda_graph_exec.hpp), it can be replayed with those of every step.
void step(Context& context, const Factors* factors, std::int64_t count, const float* grad, float* param,
          float* velocity);

namespace cpu {
void step(const Factors& factors, std::int64_t count, const float* grad, float* param, float* velocity);
}  // namespace cpu

}  // namespace chiaro::sgd
