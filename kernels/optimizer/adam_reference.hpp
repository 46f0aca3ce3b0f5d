// The update of adam.hpp in plain loops.
#pragma once
#include <cmath>
#include <cstdint>

#include "kernels/optimizer/adam.hpp"

namespace chiaro::adam::reference {

template <class T>
void step(const Hyper& h, std::int64_t t, std::int64_t count, const T* grad, T* param, T* m, T* v) {
  const T beta1 = T(h.beta1), beta2 = T(h.beta2);
  const T correction1 = T(1 - std::pow(h.beta1, double(t))),
          correction2 = T(1 - std::pow(h.beta2, double(t)));
  for (std::int64_t i = 0; i < count; ++i) {
    m[i] = beta1 * m[i] + T(1 - h.beta1) * grad[i];
    v[i] = beta2 * v[i] + T(1 - h.beta2) * grad[i] * grad[i];
    const T update = T(h.lr) / correction1 * m[i] / (std::sqrt(v[i]) / std::sqrt(correction2) + T(h.eps));
    param[i] -= update + T(h.lr * h.weight_decay) * param[i];
  }
}

}  // namespace chiaro::adam::reference
