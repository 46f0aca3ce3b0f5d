#include "kernels/norm/batch_norm.hpp"

#include "kernels/base/on_device.hpp"
namespace chiaro::batch_norm {

namespace {

void check_parameters(const Parameters& p) {
  require(p.scale && p.offset && p.mean && p.variance,
          "batch_norm: scale, offset, mean and variance must all be given");
}

void check_pair(ConstTensorView from, const char* from_name, ConstTensorView to, const char* to_name) {
  require(from && to, "batch_norm: {} and {} must both be given", from_name, to_name);
  require(to.shape == from.shape, "batch_norm: {} has shape {}, expected {} as {}", to_name,
          to_string(to.shape), to_string(from.shape), from_name);
  require(from.shape.c > 0, "batch_norm: {} {} has no channels", from_name, to_string(from.shape));
}

}  // namespace

void forward(Context& context, ConstTensorView x, const Parameters& parameters, TensorView y) {
  check_pair(x, "x", y, "y");
  check_parameters(parameters);
  require_cpu(context, "batch_norm");
  cpu::forward(x, parameters, y);
}

void backward(Context& context, ConstTensorView y, ConstTensorView dy, const Parameters& parameters,
              TensorView dx, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_pair(dy, "dy", dx, "dx");
  if (parameters.relu) check_pair(dy, "dy", y, "y");
  check_parameters(parameters);
  require_cpu(context, "batch_norm");
  cpu::backward(y, dy, parameters, dx, mode == GradientMode::Accumulate);
}

}  // namespace chiaro::batch_norm
