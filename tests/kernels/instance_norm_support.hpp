// One instance normalization with all its tensors, its exact results and those of the plain loops.
#pragma once
#include "kernels/norm/instance_norm.hpp"
#include "kernels/norm/instance_norm_reference.hpp"
#include "tests/kernels/memory_ops_support.hpp"

namespace chiaro::instance_norm {

struct Case {
  Shape shape;
  bool relu, residual;
  Pad out, residual_pad;
  bool per_picture = false;

  std::int64_t parameters() const { return (per_picture ? shape.n : 1) * shape.c; }
};

inline std::vector<Case> cases() {
  return {
      {{1, 5, 7, 3}, false, false, {}, {}},
      {{2, 13, 9, 5}, true, false, Pad::uniform(1), {}},
      {{3, 8, 8, 8}, false, true, {1, 2, 3, 0}, Pad::uniform(2)},
      {{1, 31, 33, 16}, true, true, Pad::uniform(1, PadMode::Replicate), {0, 1, 2, 3}},
      {{2, 5, 6, 32}, true, false, {4, 4, 5, 5}, {}},
      {{1, 64, 64, 32}, true, false, Pad::uniform(1), {}},
      {{1, 40, 700, 30}, false, true, {0, 0, 1, 0}, {}},  // rows longer than a block
      {{2, 7, 6, 200}, true, true, Pad::uniform(3, PadMode::Replicate), Pad::uniform(1)},  // channel slices
      {{1, 1, 7, 3}, true, false, {}, {}},
      {{1, 300, 1, 3}, false, false, {2, 2, 0, 0}, {}},
      {{1, 6, 5, 3}, true, false, {}, {}, true},
      {{3, 8, 9, 8}, true, true, Pad::uniform(1), Pad::uniform(2), true},
      {{2, 7, 6, 200}, true, false, {}, {}, true},
  };
}

inline std::string describe(const Case& k) {
  return to_string(k.shape) + (k.relu ? " relu" : "") + (k.residual ? " residual" : "") +
         (k.per_picture ? " per picture" : "");
}

template <class T>
struct Problem {
  Case k;
  memory_ops::Dense<T> x, residual, y, dy, dx, dresidual;
  std::vector<float> gamma, beta, mean, rstd, dgamma, dbeta;
  std::vector<double> workspace;
  std::vector<double> dy0, dx0, dresidual0, dgamma0, dbeta0;  // before backward

  Problem(const Case& case_, unsigned seed)
      : k(case_),
        x(k.shape),
        residual(k.residual_pad.outer(k.shape)),
        y(k.out.outer(k.shape)),
        dy(y.shape),
        dx(k.shape),
        dresidual(residual.shape),
        mean(k.shape.n * k.shape.c),
        rstd(k.shape.n * k.shape.c),
        workspace(std::max(forward_workspace_bytes(Context::current(), k.shape),
                           backward_workspace_bytes(Context::current(), k.shape)) /
                  8) {
    x.fill_normal(seed, 0.5f, 2.0f);
    residual.fill_normal(seed + 1);
    dy.fill_normal(seed + 2);
    dx.fill_normal(seed + 3);
    dresidual.fill_normal(seed + 4);
    const auto vector = [&](unsigned more, double center) {
      const auto values = memory_ops::random_doubles(k.parameters(), seed + more, center);
      return std::vector<float>(values.begin(), values.end());
    };
    gamma = vector(5, 1), beta = vector(6, 0.3), dgamma = vector(7, 0), dbeta = vector(8, 0);
    dy0 = dy.doubles(), dx0 = dx.doubles(), dresidual0 = dresidual.doubles();
    dgamma0 = memory_ops::to_doubles(dgamma), dbeta0 = memory_ops::to_doubles(dbeta);
  }

  Attributes attributes() const {
    return {.eps = 1e-5f,
            .relu = k.relu,
            .per_picture = k.per_picture,
            .out_pad = k.out,
            .residual_pad = k.residual_pad};
  }
  ForwardArgs forward_args() {
    return {.x = x,
            .gamma = gamma.data(),
            .beta = beta.data(),
            .residual = k.residual ? ConstTensorView(residual) : ConstTensorView(),
            .y = y,
            .mean = mean.data(),
            .rstd = rstd.data(),
            .workspace = workspace.data(),
            .attr = attributes()};
  }
  BackwardArgs backward_args(GradientMode mode) {
    return {.x = x,
            .gamma = gamma.data(),
            .beta = beta.data(),
            .mean = mean.data(),
            .rstd = rstd.data(),
            .dy = dy,
            .dx = dx,
            .dx_mode = mode,
            .dgamma = dgamma.data(),
            .dbeta = dbeta.data(),
            .param_mode = mode,
            .dresidual = k.residual ? TensorView(dresidual) : TensorView(),
            .dresidual_mode = k.residual ? mode : GradientMode::Ignore,
            .workspace = workspace.data(),
            .attr = attributes()};
  }
  void run(Context& context, GradientMode mode) {
    forward(context, forward_args());
    backward(context, backward_args(mode));
  }
};

// Results in double, for the same inputs and, where gradients are added, the same old contents.
struct Exact {
  std::vector<double> y, mean, rstd, dx, dgamma, dbeta, dresidual;

  template <class T>
  Exact(const Problem<T>& p, GradientMode mode)
      : y(p.y.count()),
        mean(p.mean.size()),
        rstd(p.mean.size()),
        dx(p.dx.count()),
        dgamma(p.gamma.size()),
        dbeta(p.gamma.size()),
        dresidual(p.dresidual.count()) {
    const auto x = p.x.doubles(), residual = p.residual.doubles();
    const auto gamma = memory_ops::to_doubles(p.gamma), beta = memory_ops::to_doubles(p.beta);
    reference::forward(p.k.shape, x.data(), gamma.data(), beta.data(),
                       p.k.residual ? residual.data() : nullptr, y.data(), mean.data(), rstd.data(),
                       p.attributes());
    reference::backward(p.k.shape, x.data(), gamma.data(), beta.data(), mean.data(), rstd.data(),
                        p.dy0.data(), dx.data(), dgamma.data(), dbeta.data(),
                        p.k.residual ? dresidual.data() : nullptr, p.attributes());
    if (mode != GradientMode::Accumulate) return;
    const auto add = [](std::vector<double>& to, const std::vector<double>& from) {
      for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
    };
    add(dx, p.dx0), add(dgamma, p.dgamma0), add(dbeta, p.dbeta0), add(dresidual, p.dresidual0);
  }
};

// The plain loops at the precision of the problem, with its mean and rstd.
template <class T>
struct Plain {
  memory_ops::Dense<T> y, dx, dresidual;

  explicit Plain(const Problem<T>& p) : y(p.y.shape), dx(p.dx.shape), dresidual(p.dresidual.shape) {
    std::vector<float> mean(p.mean.size()), rstd(p.mean.size()), dgamma(p.gamma.size()),
        dbeta(p.gamma.size());
    std::vector<T> dy(p.dy0.size());
    for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = T(float(p.dy0[i]));
    reference::forward(p.k.shape, p.x.data(), p.gamma.data(), p.beta.data(),
                       p.k.residual ? p.residual.data() : nullptr, y.data(), mean.data(), rstd.data(),
                       p.attributes());
    reference::backward(p.k.shape, p.x.data(), p.gamma.data(), p.beta.data(), mean.data(), rstd.data(),
                        dy.data(), dx.data(), dgamma.data(), dbeta.data(),
                        p.k.residual ? dresidual.data() : nullptr, p.attributes());
  }
};

}  // namespace chiaro::instance_norm
