#include "kernels/optimizer/sgd.hpp"

#include "kernels/base/on_device.hpp"
#include "kernels/optimizer/sgd_cuda.hpp"

namespace chiaro::sgd {

namespace {

void check_slabs(std::int64_t count, const float* grad, const float* param, const float* velocity) {
  require(count >= 0, "sgd: {} parameters", count);
  require(count == 0 || (grad && param && velocity), "sgd: grad, param and velocity must all be given");
}

}  // namespace

Factors factors(const Hyper& h) {
  return {static_cast<float>(h.lr), static_cast<float>(h.momentum), static_cast<float>(h.weight_decay)};
}

void step(Context& context, const Hyper& hyper, std::int64_t count, const float* grad, float* param,
          float* velocity) {
  require(hyper.momentum >= 0 && hyper.momentum < 1, "sgd: momentum {} must be in [0, 1)", hyper.momentum);
  require(hyper.weight_decay >= 0, "sgd: weight decay {} must not be negative", hyper.weight_decay);
  check_slabs(count, grad, param, velocity);
  on_device(
      context, [&] { cpu::step(factors(hyper), count, grad, param, velocity); },
      [&](auto stream) { cuda::step(stream, factors(hyper), count, grad, param, velocity); });
}

void step(Context& context, const Factors* factors, std::int64_t count, const float* grad, float* param,
          float* velocity) {
  require(factors != nullptr, "sgd: the factors must be given");
  check_slabs(count, grad, param, velocity);
  on_device(
      context, [&] { cpu::step(*factors, count, grad, param, velocity); },
      [&](auto stream) { cuda::step(stream, factors, count, grad, param, velocity); });
}

}  // namespace chiaro::sgd
