#include "kernels/optimizer/adam.hpp"

#include <cmath>
#include <memory>

#include "kernels/base/memory.hpp"
#include "kernels/base/on_device.hpp"
#include "kernels/optimizer/adam_cuda.hpp"

namespace chiaro::adam {

namespace {

void check_slabs(std::int64_t count, const float* grad, const float* param, const float* m, const float* v) {
  require(count >= 0, "adam: {} parameters", count);
  require(count == 0 || (grad && param && m && v), "adam: grad, param, m and v must all be given");
}

}  // namespace

Factors factors(const Hyper& h, std::int64_t t) {
  const double correction1 = 1 - std::pow(h.beta1, static_cast<double>(t));
  const double correction2 = 1 - std::pow(h.beta2, static_cast<double>(t));
  return {static_cast<float>(h.beta1),
          static_cast<float>(1 - h.beta1),
          static_cast<float>(h.beta2),
          static_cast<float>(1 - h.beta2),
          static_cast<float>(h.lr / correction1),
          static_cast<float>(1 / std::sqrt(correction2)),
          static_cast<float>(h.eps),
          static_cast<float>(h.lr * h.weight_decay)};
}

void step(Context& context, const Hyper& hyper, std::int64_t t, std::int64_t count, const float* grad,
          float* param, float* m, float* v, bf16* copy) {
  require(t >= 1, "adam: step number {}, expected 1 or more", t);
  require(hyper.beta1 >= 0 && hyper.beta1 < 1 && hyper.beta2 >= 0 && hyper.beta2 < 1,
          "adam: beta1 {} and beta2 {}: both must be in [0, 1)", hyper.beta1, hyper.beta2);
  require(hyper.weight_decay >= 0, "adam: weight decay {} must not be negative", hyper.weight_decay);
  check_slabs(count, grad, param, m, v);
  on_device(
      context, [&] { cpu::step(factors(hyper, t), count, grad, param, m, v, copy); },
      [&](auto stream) { cuda::step(stream, factors(hyper, t), count, grad, param, m, v, copy); });
}

void step(Context& context, const Factors* factors, std::int64_t count, const float* grad, float* param,
          float* m, float* v, bf16* copy) {
  require(factors != nullptr, "adam: the factors must be given");
  check_slabs(count, grad, param, m, v);
  on_device(
      context, [&] { cpu::step(*factors, count, grad, param, m, v, copy); },
      [&](auto stream) { cuda::step(stream, factors, count, grad, param, m, v, copy); });
}

std::int64_t gradient_norm_workspace_bytes(const Context& context) {
  return on_device(
      context, [] { return std::int64_t{0}; }, [](auto) { return cuda::gradient_norm_workspace_bytes(); });
}

void gradient_norm(Context& context, std::int64_t count, const float* grad, double* norm, void* workspace) {
  require((count == 0 || grad) && norm, "adam: the gradient and its norm must both be given");
  require(workspace || gradient_norm_workspace_bytes(context) == 0,
          "adam: the gradient's norm needs a workspace of {} bytes", gradient_norm_workspace_bytes(context));
  on_device(
      context, [&] { *norm = cpu::gradient_norm(count, grad); },
      [&](auto stream) { cuda::gradient_norm(stream, count, grad, norm, workspace); });
}

double gradient_norm(Context& context, std::int64_t count, const float* grad) {
  double result = 0;
  if (context.device() == Device::Cpu) {
    gradient_norm(context, count, grad, &result, nullptr);
    return result;
  }
  const std::int64_t workspace_bytes = gradient_norm_workspace_bytes(context);
  const std::unique_ptr<std::byte, ReleaseMemory> scratch(
      allocate(MemoryKind::Device, workspace_bytes + std::int64_t{sizeof(double)}, "the gradient's norm"),
      {MemoryKind::Device});
  auto* norm = reinterpret_cast<double*>(scratch.get() + workspace_bytes);
  gradient_norm(context, count, grad, norm, scratch.get());
  copy_async(context, &result, norm, sizeof result);
  synchronize(context);
  return result;
}

}  // namespace chiaro::adam
