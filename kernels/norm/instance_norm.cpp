#include "kernels/norm/instance_norm.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/base/argument_checks.hpp"
#include "kernels/base/on_device.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/norm/instance_norm_cuda.hpp"
#include "kernels/pad/pad.hpp"

namespace chiaro::instance_norm {

namespace {

void check_band(const char* op, const ConstTensorView& band) {
  check_present(op, "the band", band);
  require(band.shape.n == 1, "{}: the band has shape {}, expected one picture", op, to_string(band.shape));
}

}  // namespace

std::int64_t forward_workspace_bytes(const Context& context, const Shape& x) {
  return on_device(
      context, [&] { return cpu::forward_workspace_bytes(x); },
      [&](auto) { return cuda::forward_workspace_bytes(x); });
}
std::int64_t backward_workspace_bytes(const Context& context, const Shape& x) {
  return on_device(
      context, [&] { return cpu::backward_workspace_bytes(x); },
      [&](auto) { return cuda::backward_workspace_bytes(x); });
}
std::int64_t moments_workspace_bytes(const Shape& band) {
  return cpu::forward_workspace_bytes(band);
}

void forward(Context& context, const ForwardArgs& args) {
  const char* op = "instance_norm forward";
  const Shape& s = args.x.shape;
  check_present(op, "x", args.x);
  pad::check(op, args.attr.out_pad, s);
  check_tensor(op, "y", args.y, args.x.dtype, args.attr.out_pad.outer(s));
  if (args.residual)
    check_tensor(op, "residual", args.residual, args.x.dtype, args.attr.residual_pad.outer(s));
  check_array(op, "gamma", args.gamma);
  check_array(op, "beta", args.beta);
  check_array(op, "mean", args.mean);
  check_array(op, "rstd", args.rstd);
  check_workspace(op, args.workspace);
  on_device(
      context, [&] { cpu::forward(context, args); }, [&](auto stream) { cuda::forward(stream, args); });
}

void backward(Context& context, const BackwardArgs& args) {
  const char* op = "instance_norm backward";
  const Shape& s = args.x.shape;
  const DType dtype = args.x.dtype;
  check_present(op, "x", args.x);
  pad::check(op, args.attr.out_pad, s);
  check_tensor(op, "dy", args.dy, dtype, args.attr.out_pad.outer(s));
  check_array(op, "gamma", args.gamma);
  check_array(op, "beta", args.beta);
  check_array(op, "mean", args.mean);
  check_array(op, "rstd", args.rstd);
  if (args.dx_mode != GradientMode::Ignore) check_tensor(op, "dx", args.dx, dtype, s);
  if (args.dresidual_mode != GradientMode::Ignore)
    check_tensor(op, "dresidual", args.dresidual, dtype, args.attr.residual_pad.outer(s));
  if (args.param_mode != GradientMode::Ignore) {
    check_array(op, "dgamma", args.dgamma);
    check_array(op, "dbeta", args.dbeta);
  }
  check_workspace(op, args.workspace);
  on_device(
      context, [&] { cpu::backward(context, args); }, [&](auto stream) { cuda::backward(stream, args); });
}

void accumulate_moments(Context& context, ConstTensorView band, Moments& moments, void* workspace) {
  const char* op = "instance_norm accumulate_moments";
  check_band(op, band);
  require(moments.mean && moments.m2 && moments.count >= 0, "{}: the arrays of the moments are missing", op);
  check_workspace(op, workspace);
  require_cpu(context, op);
  cpu::accumulate_moments(band, moments, workspace);
}

// Chan, Golub, LeVeque 1979.
void merge_moments(const Moments& part, std::int64_t channels, Moments& into) {
  if (into.count == 0) {
    std::copy_n(part.mean, channels, into.mean);
    std::copy_n(part.m2, channels, into.m2);
  } else {
    const double share = double(part.count) / double(into.count + part.count);
    const double cross = share * double(into.count);
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) {
      const double delta = part.mean[c] - into.mean[c];
      into.mean[c] += delta * share;
      into.m2[c] += part.m2[c] + delta * delta * cross;
    }
  }
  into.count += part.count;
}

void finish_moments(const Moments& moments, std::int64_t channels, float eps, float* mean, float* rstd) {
  require(moments.count > 0, "instance_norm finish_moments: no pixels were accumulated");
  for (std::int64_t c = 0; c < channels; ++c) {
    mean[c] = float(moments.mean[c]);
    rstd[c] = float(1.0 / std::sqrt(moments.m2[c] / double(moments.count) + double(eps)));
  }
}

void apply_rows(Context& context, const ApplyArgs& args) {
  const char* op = "instance_norm apply_rows";
  check_band(op, args.x);
  check_tensor(op, "y", args.y, args.x.dtype, args.x.shape);
  if (args.residual) check_tensor(op, "residual", args.residual, args.x.dtype, args.x.shape);
  check_array(op, "gamma", args.gamma);
  check_array(op, "beta", args.beta);
  check_array(op, "mean", args.mean);
  check_array(op, "rstd", args.rstd);
  require_cpu(context, op);
  cpu::apply_rows(args);
}

}  // namespace chiaro::instance_norm
