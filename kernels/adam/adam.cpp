#include "kernels/adam/adam.hpp"

#include <cmath>

#include "kernels/common/error.hpp"

namespace chiaro::adam {

Factors factors(const Hyper& h, std::int64_t t) {
  const double correction1 = 1 - std::pow(h.beta1, static_cast<double>(t));
  const double correction2 = 1 - std::pow(h.beta2, static_cast<double>(t));
  return {static_cast<float>(h.beta1),
          static_cast<float>(1 - h.beta1),
          static_cast<float>(h.beta2),
          static_cast<float>(1 - h.beta2),
          static_cast<float>(h.lr / correction1),
          static_cast<float>(1 / std::sqrt(correction2)),
          static_cast<float>(h.eps)};
}

void step(Context& context, const Hyper& hyper, std::int64_t t, std::int64_t count, const float* grad,
          float* param, float* m, float* v, bf16* copy) {
  require(t >= 1, "adam: step number {}, expected 1 or more", t);
  require(count >= 0, "adam: {} parameters", count);
  require(hyper.beta1 >= 0 && hyper.beta1 < 1 && hyper.beta2 >= 0 && hyper.beta2 < 1,
          "adam: beta1 {} and beta2 {}: both must be in [0, 1)", hyper.beta1, hyper.beta2);
  require(count == 0 || (grad && param && m && v), "adam: grad, param, m and v must all be given");
  switch (context.device()) {
    case Device::Cpu:
      return cpu::step(factors(hyper, t), count, grad, param, m, v, copy);
    case Device::Cuda:
      throw Error("adam: there is no CUDA implementation yet");
  }
}

double gradient_norm(Context& context, std::int64_t count, const float* grad) {
  require(count == 0 || grad, "adam: the gradient must be given");
  switch (context.device()) {
    case Device::Cpu:
      return cpu::gradient_norm(count, grad);
    case Device::Cuda:
      throw Error("adam: there is no CUDA implementation yet");
  }
  return 0;
}

}  // namespace chiaro::adam
