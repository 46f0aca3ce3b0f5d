// The update of sgd.hpp in plain loops.
#pragma once
#include <cstdint>

#include "kernels/optimizer/sgd.hpp"

namespace chiaro::sgd::reference {

template <class T>
void step(const Hyper& h, std::int64_t count, const T* grad, T* param, T* velocity) {
  for (std::int64_t i = 0; i < count; ++i) {
    velocity[i] = T(h.momentum) * velocity[i] + grad[i];
    param[i] -= T(h.lr) * (velocity[i] + T(h.weight_decay) * param[i]);
  }
}

}  // namespace chiaro::sgd::reference
