#include "kernels/batch_norm/batch_norm.hpp"

#include <cmath>

#include "kernels/common/on_device.hpp"
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

void fold(const float* w, const float* bias, std::int64_t filters, std::int64_t filter_size,
          const float* scale, const float* offset, const float* mean, const float* variance, float eps,
          float* w_out, float* b_out) {
  require(w && scale && offset && mean && variance && w_out && b_out,
          "batch_norm: fold needs everything but the bias");
  require(filters > 0 && filter_size > 0, "batch_norm: fold of {} filters of {} weights", filters,
          filter_size);
  for (std::int64_t k = 0; k < filters; ++k) {
    const double a = double(scale[k]) / std::sqrt(double(variance[k]) + eps);
    b_out[k] = static_cast<float>(((bias ? double(bias[k]) : 0.0) - mean[k]) * a + offset[k]);
    for (std::int64_t i = 0; i < filter_size; ++i)
      w_out[k * filter_size + i] = static_cast<float>(w[k * filter_size + i] * a);
  }
}

}  // namespace chiaro::batch_norm
