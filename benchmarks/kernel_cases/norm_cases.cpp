// Instance norm in the transform network's forms, and batch norm of training.
#include "benchmarks/kernel_cases/cases.hpp"
#include "kernels/elementwise/elementwise.hpp"
#include "kernels/norm/batch_norm_training.hpp"
#include "kernels/norm/instance_norm.hpp"
#include "kernels/pad/pad.hpp"

namespace chiaro::bench {

namespace {

// Followed by a convolution with a reflected border of 1: with a ReLU, or with the sum of a residual block,
// whose residual lies in the block's input with a border of its own.
struct InstanceNormForm {
  Shape x;
  bool residual = false;
};

struct InstanceNormMemory {
  InstanceNormMemory(Workbench& bench, DType dtype, const InstanceNormForm& form)
      : x(bench.tensor(form.x, dtype)),
        y(bench.tensor(border.outer(form.x), dtype)),
        plain(bench.tensor(form.x, dtype)),
        gamma(bench.floats(form.x.c)),
        beta(bench.floats(form.x.c)),
        mean(bench.floats(form.x.n * form.x.c)),
        rstd(bench.floats(form.x.n * form.x.c)) {
    if (form.residual) residual = bench.tensor(border.outer(form.x), dtype);
  }

  Pad border = Pad::uniform(1);
  TensorView x, y, plain, residual;
  float *gamma, *beta, *mean, *rstd;
};

std::string text_of(const InstanceNormForm& form) {
  return to_string(form.x) + (form.residual ? " + residual" : " relu") + ", border 1";
}

Work instance_norm_forward(Workbench& bench, DType dtype, const InstanceNormForm& form) {
  using namespace instance_norm;
  const InstanceNormMemory m(bench, dtype, form);
  void* workspace = bench.block(forward_workspace_bytes(bench.context(), form.x));
  const ForwardArgs plain{.x = m.x,
                          .gamma = m.gamma,
                          .beta = m.beta,
                          .y = m.plain,
                          .mean = m.mean,
                          .rstd = m.rstd,
                          .workspace = workspace};
  ForwardArgs fused = plain;
  fused.y = m.y;
  fused.attr = {.relu = !form.residual, .out_pad = m.border};
  if (form.residual) {
    fused.residual = m.residual;
    fused.attr.residual_pad = m.border;
  }
  const double extra = form.residual ? static_cast<double>(m.x.bytes()) : 0;
  return {.shape = text_of(form),
          .bytes = 2 * static_cast<double>(m.x.bytes()) + static_cast<double>(m.y.bytes()) + extra,
          .run = [&bench, fused] { forward(bench.context(), fused); },
          .instead = form.residual ? "norm, add, border" : "norm, relu, border",
          .run_instead =
              [&bench, plain, m, residual = form.residual] {
                forward(bench.context(), plain);
                if (residual) {  // of the inner shape: what the plain ops have at hand
                  const ConstTensorView inner{m.residual.data, m.residual.dtype, m.plain.shape};
                  copy(bench.context(), inner, m.plain, GradientMode::Accumulate);
                } else {
                  relu_forward(bench.context(), m.plain, m.plain);
                }
                pad::forward(bench.context(), m.plain, m.y, m.border);
              }};
}

Work instance_norm_backward(Workbench& bench, DType dtype, const InstanceNormForm& form) {
  using namespace instance_norm;
  const InstanceNormMemory m(bench, dtype, form);
  const TensorView dx = bench.tensor(form.x, dtype), g = bench.tensor(form.x, dtype);
  float* dgamma = bench.floats(form.x.c);
  float* dbeta = bench.floats(form.x.c);
  const BackwardArgs plain{
      .x = m.x,
      .gamma = m.gamma,
      .beta = m.beta,
      .mean = m.mean,
      .rstd = m.rstd,
      .dy = g,
      .dx = dx,
      .dgamma = dgamma,
      .dbeta = dbeta,
      .workspace = bench.block(backward_workspace_bytes(bench.context(), form.x)),
  };
  BackwardArgs fused = plain;
  fused.dy = m.y;
  fused.attr = {.relu = !form.residual, .out_pad = m.border};
  if (form.residual) {
    fused.attr.residual_pad = m.border;
    fused.dresidual = m.residual;
    fused.dresidual_mode = GradientMode::Overwrite;
  }
  const double e = static_cast<double>(m.x.bytes()), p = static_cast<double>(m.y.bytes());
  return {.shape = text_of(form),
          .bytes = 2 * (e + p) + e + (form.residual ? p : 0),
          .run = [&bench, fused] { backward(bench.context(), fused); },
          .instead = form.residual ? "border, norm, border" : "border, relu, norm",
          .run_instead =
              [&bench, plain, m, g, residual = form.residual] {
                pad::backward(bench.context(), m.y, g, GradientMode::Overwrite, m.border);
                if (residual)
                  pad::forward(bench.context(), g, m.residual, m.border);
                else
                  relu_backward(bench.context(), m.plain, g, g, GradientMode::Overwrite);
                backward(bench.context(), plain);
              }};
}

struct BatchNormMemory {
  BatchNormMemory(Workbench& bench, DType dtype, const Shape& s)
      : x(bench.tensor(s, dtype)),
        residual(bench.tensor(s, dtype)),
        y(bench.tensor(s, dtype)),
        scale(bench.floats(s.c)),
        offset(bench.floats(s.c)),
        mean(bench.floats(s.c)),
        rstd(bench.floats(s.c)) {}
  TensorView x, residual, y;
  float *scale, *offset, *mean, *rstd;
};

Work batch_norm_forward(Workbench& bench, DType dtype, const Shape& shape) {
  using namespace batch_norm::training;
  const BatchNormMemory m(bench, dtype, shape);
  const ForwardArgs plain{.x = m.x,
                          .scale = m.scale,
                          .offset = m.offset,
                          .y = m.y,
                          .mean = m.mean,
                          .rstd = m.rstd,
                          .workspace = bench.block(forward_workspace_bytes(bench.context(), shape))};
  ForwardArgs fused = plain;
  fused.residual = m.residual;
  fused.attr.relu = true;
  return {.shape = to_string(shape) + " + residual, relu",
          .bytes = 4 * static_cast<double>(m.x.bytes()),
          .run = [&bench, fused] { forward(bench.context(), fused); },
          .instead = "norm, add, relu",
          .run_instead =
              [&bench, plain, m] {
                forward(bench.context(), plain);
                copy(bench.context(), m.residual, m.y, GradientMode::Accumulate);
                relu_forward(bench.context(), m.y, m.y);
              }};
}

Work batch_norm_backward(Workbench& bench, DType dtype, const Shape& shape) {
  using namespace batch_norm::training;
  const BatchNormMemory m(bench, dtype, shape);
  const TensorView dy = bench.tensor(shape, dtype), dx = bench.tensor(shape, dtype);
  const BackwardArgs plain{.x = m.x,
                           .scale = m.scale,
                           .mean = m.mean,
                           .rstd = m.rstd,
                           .dy = dy,
                           .dx = dx,
                           .dscale = bench.floats(shape.c),
                           .doffset = bench.floats(shape.c),
                           .workspace = bench.block(backward_workspace_bytes(bench.context(), shape))};
  BackwardArgs fused = plain;
  fused.y = m.y;
  fused.attr.relu = true;
  fused.dresidual = m.residual;
  fused.dresidual_mode = GradientMode::Overwrite;
  return {.shape = to_string(shape) + " + residual, relu",
          .bytes = 8 * static_cast<double>(m.x.bytes()),
          .run = [&bench, fused] { backward(bench.context(), fused); },
          .instead = "relu, copy, norm",
          .run_instead =
              [&bench, plain, m, dy] {
                relu_backward(bench.context(), m.y, dy, dy, GradientMode::Overwrite);
                copy(bench.context(), dy, m.residual, GradientMode::Overwrite);
                backward(bench.context(), plain);
              }};
}

}  // namespace

void add_norm_cases(std::vector<Case>& cases, std::int64_t batch) {
  for (const InstanceNormForm& form :
       {InstanceNormForm{{batch, 256, 256, 32}}, InstanceNormForm{{batch, 128, 128, 64}},
        InstanceNormForm{{batch, 64, 64, 128}}, InstanceNormForm{{batch, 64, 64, 128}, true}}) {
    cases.push_back({"instance_norm forward", false, [form](Workbench& bench, DType dtype) {
                       return instance_norm_forward(bench, dtype, form);
                     }});
    cases.push_back({"instance_norm backward", false, [form](Workbench& bench, DType dtype) {
                       return instance_norm_backward(bench, dtype, form);
                     }});
  }
  for (const Shape& shape : {Shape{batch, 64, 64, 256}, Shape{batch, 16, 16, 1024}}) {
    cases.push_back({"batch_norm training forward", false, [shape](Workbench& bench, DType dtype) {
                       return batch_norm_forward(bench, dtype, shape);
                     }});
    cases.push_back({"batch_norm training backward", false, [shape](Workbench& bench, DType dtype) {
                       return batch_norm_backward(bench, dtype, shape);
                     }});
  }
}

}  // namespace chiaro::bench
