// The reference in double against central differences: what every other gradient test leans on.
#include "kernels/norm/instance_norm_reference.hpp"
#include "tests/kernels/memory_ops_support.hpp"

namespace chiaro::instance_norm {

using namespace chiaro::memory_ops;

namespace {

void check_reference(const Shape& s, bool relu, bool with_residual, const Pad& out, const Pad& residual_pad) {
  const Attributes attr{.eps = 1e-5f, .relu = relu, .out_pad = out, .residual_pad = residual_pad};
  auto x = random_doubles(s.count(), 1, 0.3, 1.5);
  auto gamma = random_doubles(s.c, 2, 1, 0.5), beta = random_doubles(s.c, 3);
  auto residual = random_doubles(residual_pad.outer(s).count(), 4);
  const auto dy = random_doubles(out.outer(s).count(), 5);
  std::vector<double> y(dy.size()), mean(s.n * s.c), rstd(s.n * s.c);
  const auto loss = [&] {
    reference::forward(s, x.data(), gamma.data(), beta.data(), with_residual ? residual.data() : nullptr,
                       y.data(), mean.data(), rstd.data(), attr);
    return dot(y, dy);
  };
  loss();
  for (std::int64_t i = 0; i < s.count(); ++i) {  // no element near the kink of the ReLU
    const std::int64_t c = i % s.c, at = i / (s.pixels() * s.c) * s.c + c;
    REQUIRE(std::abs(gamma[c] * (x[i] - mean[at]) * rstd[at] + beta[c]) > 1e-4);
  }
  std::vector<double> dx(x.size()), dgamma(s.c), dbeta(s.c), dresidual(residual.size());
  reference::backward(s, x.data(), gamma.data(), beta.data(), mean.data(), rstd.data(), dy.data(), dx.data(),
                      dgamma.data(), dbeta.data(), with_residual ? dresidual.data() : nullptr, attr);
  check_gradient(x, dx, loss);
  check_gradient(gamma, dgamma, loss);
  check_gradient(beta, dbeta, loss);
  if (with_residual) check_gradient(residual, dresidual, loss);
}

}  // namespace

TEST_CASE("instance_norm: the reference's gradients equal central differences") {
  check_reference({1, 4, 3, 2}, false, false, {}, {});
  check_reference({2, 4, 5, 3}, true, false, Pad::uniform(1), {});
  check_reference({2, 3, 4, 3}, false, true, {2, 1, 0, 3}, Pad::uniform(1));
  check_reference({1, 5, 4, 3}, true, true, {1, 3, 2, 0, PadMode::Replicate}, {0, 1, 2, 0});
}

}  // namespace chiaro::instance_norm
