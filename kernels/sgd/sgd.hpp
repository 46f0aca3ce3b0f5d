// Stochastic gradient descent with momentum, one fused pass over a slab of parameters.
//   v = momentum * v + g
//   p = p - lr * v
// grad, param, velocity: `count` fp32 each; param and velocity are updated in place; velocity is zero before
// the first step. momentum = 0 is plain gradient descent. All in fp32. Deterministic, with any number of
// threads.
// Source: Polyak 1964; the form of PyTorch's torch.optim.SGD with dampening 0, in which a change of the
// learning rate acts at once on the whole velocity.
#pragma once
#include <cstdint>

#include "kernels/common/context.hpp"

namespace chiaro::sgd {

struct Hyper {
  double lr = 1e-2, momentum = 0.9;
};

void step(Context& context, const Hyper& hyper, std::int64_t count, const float* grad, float* param,
          float* velocity);

namespace cpu {
void step(float lr, float momentum, std::int64_t count, const float* grad, float* param, float* velocity);
}  // namespace cpu

}  // namespace chiaro::sgd
