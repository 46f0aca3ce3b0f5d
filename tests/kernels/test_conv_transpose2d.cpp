#include <doctest/doctest.h>

#include "kernels/conv2d/conv_transpose2d.hpp"
#include "tests/kernels/test_conv2d_harness.hpp"

using namespace chiaro;
using namespace chiaro::conv_transpose2d;
using namespace chiaro::conv2d::test;

namespace {

const std::vector<Problem> kProblems = {
    {{2, 4, 5, 16}, 16, DType::F32}, {{1, 3, 3, 5}, 3, DType::F32},    {{1, 1, 1, 2}, 4, DType::F32},
    {{2, 6, 4, 32}, 16, DType::F32}, {{2, 4, 5, 16}, 16, DType::BF16}, {{1, 5, 3, 7}, 3, DType::BF16},
};

struct Tensors {
  Values x, w, dy, old_dx, old_dw;
};
Tensors integer_tensors(const Problem& p) {
  return {integers(p.x.count(), 1, 1), integers(p.weight_count(), 1, 2), integers(p.y().count(), 1, 3),
          integers(p.x.count(), 1, 4), integers(p.weight_count(), 1, 5)};
}

struct Passes {
  Values y, dx, dw;
  bool operator==(const Passes&) const = default;
};

// Straight from the definition: every input pixel spreads over 3x3 output pixels.
Passes run_double(const Problem& p, const Tensors& t, bool accumulate) {
  const Shape out = p.y();
  Passes r{Values(t.dy.size(), 0), accumulate ? t.old_dx : Values(t.x.size(), 0),
           accumulate ? t.old_dw : Values(t.w.size(), 0)};
  for (int64_t n = 0; n < p.x.n; ++n)
    for (int64_t i = 0; i < p.x.h; ++i)
      for (int64_t j = 0; j < p.x.w; ++j)
        for (int64_t c = 0; c < p.x.c; ++c)
          for (int64_t a = 0; a < 3; ++a)
            for (int64_t b = 0; b < 3; ++b) {
              const int64_t h = 2 * i + a - 1, w = 2 * j + b - 1;
              if (h < 0 || h >= out.h || w < 0 || w >= out.w) continue;
              for (int64_t k = 0; k < p.k; ++k) {
                const auto from = static_cast<std::size_t>(((n * p.x.h + i) * p.x.w + j) * p.x.c + c);
                const auto to = static_cast<std::size_t>(((n * out.h + h) * out.w + w) * p.k + k);
                const auto tap = static_cast<std::size_t>(((c * 3 + a) * 3 + b) * p.k + k);
                r.y[to] += t.x[from] * t.w[tap];
                r.dx[from] += t.dy[to] * t.w[tap];
                r.dw[tap] += t.x[from] * t.dy[to];
              }
            }
  return {rounded(r.y, p.dtype), rounded(r.dx, p.dtype), r.dw};
}

Passes run_plan(const Problem& p, const Tensors& t, GradientMode mode) {
  Context context(2);
  const auto plan = Plan::make(context, p);
  Bytes x = to_bytes(t.x, p.dtype), w = to_bytes(t.w, DType::F32), dy = to_bytes(t.dy, p.dtype),
        dx = to_bytes(t.old_dx, p.dtype), dw = to_bytes(t.old_dw, DType::F32),
        y(p.y().count() * size_of(p.dtype));
  Bytes forward_weights(plan->packed_bytes(Pass::Forward)),
      data_weights(plan->packed_bytes(Pass::BackwardData));
  Bytes forward_space(plan->workspace_bytes(Pass::Forward)),
      data_space(plan->workspace_bytes(Pass::BackwardData)),
      weights_space(plan->workspace_bytes(Pass::BackwardWeights));
  plan->pack(context, Pass::Forward, static_cast<float*>(w.get()), forward_weights.get());
  plan->pack(context, Pass::BackwardData, static_cast<float*>(w.get()), data_weights.get());
  const TensorView x_view{x.get(), p.dtype, p.x}, y_view{y.get(), p.dtype, p.y()},
      dy_view{dy.get(), p.dtype, p.y()}, dx_view{dx.get(), p.dtype, p.x};
  plan->forward(context, x_view, forward_weights.get(), y_view, forward_space.get());
  plan->backward_data(context, dy_view, data_weights.get(), dx_view, mode, data_space.get());
  plan->backward_weights(context, x_view, dy_view, static_cast<float*>(dw.get()), mode, weights_space.get());
  return {to_values(y, t.dy.size(), p.dtype), to_values(dx, t.x.size(), p.dtype),
          to_values(dw, t.w.size(), DType::F32)};
}

}  // namespace

TEST_CASE("conv_transpose2d: small integers are exact, gradients overwrite or accumulate") {
  for (const Problem& p : kProblems)
    for (const char* implementation : {"", "conv2d:reference"})
      for (const GradientMode mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
        CAPTURE(to_string(p));
        CAPTURE(implementation);
        const ForcedImplementation force(implementation);
        const Tensors tensors = integer_tensors(p);
        const Passes expected = run_double(p, tensors, mode == GradientMode::Accumulate);
        const Passes found = run_plan(p, tensors, mode);
        CHECK(found.y == expected.y);
        CHECK(found.dx == expected.dx);
        CHECK(found.dw == expected.dw);
      }
}

TEST_CASE("conv_transpose2d: ignored gradients are not touched") {
  const Tensors tensors = integer_tensors(kProblems[0]);
  const Passes found = run_plan(kProblems[0], tensors, GradientMode::Ignore);
  CHECK(found.dx == tensors.old_dx);
  CHECK(found.dw == tensors.old_dw);
}

TEST_CASE("conv_transpose2d: two runs give the same bits") {
  for (const Problem& p : kProblems) {
    Tensors t = integer_tensors(p);
    t.x = rounded(normals(p.x.count(), 1), p.dtype);
    t.w = rounded(normals(p.weight_count(), 2), p.dtype);
    CHECK(run_plan(p, t, GradientMode::Accumulate) == run_plan(p, t, GradientMode::Accumulate));
  }
}

TEST_CASE("conv_transpose2d: rows, columns and channels are checked") {
  Context context(1);
  CHECK_THROWS_WITH_AS((void)Plan::make(context, {{1, 4, 4, 8}, 0, DType::F32}),
                       "conv_transpose2d 3x3 x=(1,4,4,8) k=0 fp32: extents and channels must be positive",
                       Error);
  const auto plan = Plan::make(context, {{1, 2, 2, 8}, 4, DType::F32});
  std::vector<float> x(32), y(64);
  CHECK_THROWS_WITH_AS(
      plan->forward(context, {x.data(), DType::F32, {1, 2, 2, 8}}, x.data(),
                    {y.data(), DType::F32, {1, 3, 3, 4}}, nullptr),
      "conv_transpose2d forward 3x3 x=(1,2,2,8) k=4 fp32: y has shape (1,3,3,4), expected (1,4,4,4)", Error);
}
