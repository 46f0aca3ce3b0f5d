#include "kernels/norm/instance_norm.hpp"

#include "kernels/norm/instance_norm_reference.hpp"
#include "tests/kernels/instance_norm_support.hpp"

namespace chiaro::instance_norm {

using namespace chiaro::memory_ops;

TEST_CASE("instance_norm: fp32 forward and backward against double") {
  for (const Case& k : cases())
    for (GradientMode mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
      INFO(describe(k));
      Problem<float> p(k, 1);
      Context context;
      p.run(context, mode);
      const Exact exact(p, mode);
      const double bound = fp32_bound(k.shape.pixels() * k.shape.n);
      CHECK(nmse(exact.y, p.y.doubles()) <= bound);
      CHECK(nmse(exact.mean, to_doubles(p.mean)) <= bound);
      CHECK(nmse(exact.rstd, to_doubles(p.rstd)) <= bound);
      CHECK(nmse(exact.dx, p.dx.doubles()) <= bound);
      CHECK(nmse(exact.dgamma, to_doubles(p.dgamma)) <= bound);
      CHECK(nmse(exact.dbeta, to_doubles(p.dbeta)) <= bound);
      if (k.residual) CHECK(nmse(exact.dresidual, p.dresidual.doubles()) <= bound);
    }
}

TEST_CASE("instance_norm: bf16 is as exact as the plain loops in bf16") {
  for (const Case& k : cases()) {
    INFO(describe(k));
    Problem<bf16> p(k, 2);
    Context context;
    p.run(context, GradientMode::Overwrite);
    const Exact exact(p, GradientMode::Overwrite);
    const Plain<bf16> plain(p);
    CHECK(max_error(exact.y, p.y.doubles()) <= bf16_bound(exact.y, plain.y.doubles()));
    CHECK(max_error(exact.dx, p.dx.doubles()) <= bf16_bound(exact.dx, plain.dx.doubles()));
    if (k.residual)
      CHECK(max_error(exact.dresidual, p.dresidual.doubles()) <=
            bf16_bound(exact.dresidual, plain.dresidual.doubles()));
  }
}

TEST_CASE_TEMPLATE("instance_norm: the same bits with one and two threads, and twice", T, float, bf16) {
  for (const Case& k : cases()) {
    INFO(describe(k));
    Problem<T> one(k, 3), two(k, 3), again(k, 3);
    Context first(1);
    one.run(first, GradientMode::Overwrite);
    Context second(2);
    two.run(second, GradientMode::Overwrite);
    again.run(second, GradientMode::Overwrite);
    for (const Problem<T>* other : {&two, &again}) {
      CHECK(one.y.same_bits(other->y));
      CHECK(one.dx.same_bits(other->dx));
      CHECK(one.dresidual.same_bits(other->dresidual));
      CHECK(one.mean == other->mean);
      CHECK(one.rstd == other->rstd);
      CHECK(one.dgamma == other->dgamma);
      CHECK(one.dbeta == other->dbeta);
    }
  }
}

TEST_CASE("instance_norm: large means with small variances") {
  for (const auto& [extent, mean, deviation] : std::vector<std::tuple<std::int64_t, float, float>>{
           {256, 1000.0f, 0.1f}, {256, -3e4f, 1.0f}, {256, 1e4f, 0.005f}, {2048, 500.0f, 0.05f}}) {
    INFO("extent ", extent, ", mean ", mean, ", deviation ", deviation);
    Context context;
    const Shape s{1, extent, extent, 1};
    Dense<float> x(s), y(s);
    x.fill_normal(4, mean, deviation);
    double sum = 0, squares = 0;
    for (std::int64_t i = 0; i < s.count(); ++i) sum += x.values[i];
    const double exact_mean = sum / double(s.count());
    for (std::int64_t i = 0; i < s.count(); ++i)
      squares += (x.values[i] - exact_mean) * (x.values[i] - exact_mean);
    const double exact_rstd = 1 / std::sqrt(squares / double(s.count()) + double(1e-5f));

    const float gamma = 1, beta = 0;
    float got_mean = 0, got_rstd = 0;
    std::vector<double> workspace(forward_workspace_bytes(context, s) / 8);
    forward(context, {.x = x,
                      .gamma = &gamma,
                      .beta = &beta,
                      .residual = {},
                      .y = y,
                      .mean = &got_mean,
                      .rstd = &got_rstd,
                      .workspace = workspace.data(),
                      .attr = {}});
    CHECK(double(got_mean) == doctest::Approx(exact_mean).epsilon(6e-8));
    CHECK(double(got_rstd) == doctest::Approx(exact_rstd).epsilon(2e-6));
    // The mean is stored in fp32: half a unit in its last place is what y may be off by, apart from rounding.
    const double slack = (std::abs(exact_mean) * 6e-8 + deviation * 1e-5) * exact_rstd;
    double worst = 0;
    for (std::int64_t i = 0; i < s.count(); ++i)
      worst = std::max(worst, std::abs(double(y.values[i]) - (x.values[i] - exact_mean) * exact_rstd));
    CHECK(worst <= slack);
  }
}

TEST_CASE("instance_norm: a constant picture gives beta, and NaN stays visible") {
  Context context;
  const Shape s{1, 9, 7, 3};
  Problem<float> p({s, true, false, {}, {}}, 5);
  std::fill_n(p.x.data(), s.count(), 12345.678f);
  p.beta = {1.5f, 0.25f, 3.0f};
  p.run(context, GradientMode::Overwrite);
  for (std::int64_t i = 0; i < s.count(); ++i) CHECK(p.y.values[i] == p.beta[i % 3]);
  CHECK(double(p.rstd[0]) == doctest::Approx(1 / std::sqrt(1e-5)).epsilon(1e-6));

  p.x.values[4] = std::nanf("");
  p.run(context, GradientMode::Overwrite);
  CHECK(std::isnan(p.y.values[1]));
  CHECK(!std::isnan(p.y.values[0]));
}

TEST_CASE_TEMPLATE("instance_norm: bands of rows give what the whole picture gives", T, float, bf16) {
  for (const Shape& s : std::vector<Shape>{{1, 37, 29, 3}, {1, 50, 64, 32}, {1, 9, 8, 200}}) {
    Problem<T> p({s, true, true, {}, {}}, 6);
    Context context;
    p.run(context, GradientMode::Overwrite);

    std::vector<double> mean(s.c, -1), m2(s.c, -1);
    Moments moments{mean.data(), m2.data()};
    const auto band = [&](Dense<T>& t, std::int64_t begin) {
      const Shape shape{1, std::min<std::int64_t>(8, s.h - begin), s.w, s.c};
      return TensorView{t.data() + begin * s.w * s.c, dtype_of<T>, shape};
    };
    std::vector<double> workspace(moments_workspace_bytes({1, 8, s.w, s.c}) / 8);
    for (std::int64_t h = 0; h < s.h; h += 8)
      accumulate_moments(context, band(p.x, h), moments, workspace.data());
    CHECK(moments.count == s.pixels());
    std::vector<float> band_mean(s.c), band_rstd(s.c);
    finish_moments(moments, s.c, 1e-5f, band_mean.data(), band_rstd.data());
    CHECK(max_error(to_doubles(p.mean), to_doubles(band_mean)) <= 1e-6);
    CHECK(nmse(to_doubles(p.rstd), to_doubles(band_rstd)) <= 1e-12);

    // With the statistics of the whole picture the rows are the same bits, also in place.
    for (std::int64_t h = 0; h < s.h; h += 8)
      apply_rows(context, {.x = band(p.x, h),
                           .gamma = p.gamma.data(),
                           .beta = p.beta.data(),
                           .mean = p.mean.data(),
                           .rstd = p.rstd.data(),
                           .residual = band(p.residual, h),
                           .y = band(p.x, h),
                           .relu = true});
    CHECK(p.x.same_bits(p.y));
  }
}

TEST_CASE("instance_norm: ignored gradients are not touched") {
  Context context;
  Problem<float> p({{2, 6, 5, 3}, true, true, Pad::uniform(1), Pad::uniform(2)}, 7);
  const auto dx = p.dx.values, dresidual = p.dresidual.values;
  const auto dgamma = p.dgamma;
  p.run(context, GradientMode::Ignore);
  CHECK(p.dx.values == dx);
  CHECK(p.dresidual.values == dresidual);
  CHECK(p.dgamma == dgamma);
}

TEST_CASE("instance_norm: wrong arguments are named") {
  Context context;
  const Shape s{1, 4, 5, 3};
  Problem<float> p({s, false, true, Pad::uniform(1), Pad::uniform(2)}, 8);
  const auto forward_error = [&](auto&& change) {
    ForwardArgs args = p.forward_args();
    change(args);
    return error_of([&] { forward(context, args); });
  };
  CHECK(forward_error([](ForwardArgs&) {}).empty());
  CHECK(forward_error([&](ForwardArgs& a) { a.y = p.dx; }) ==
        "instance_norm forward: y has shape (1,4,5,3), expected (1,6,7,3)");
  CHECK(forward_error([&](ForwardArgs& a) { a.residual = p.x; }) ==
        "instance_norm forward: residual has shape (1,4,5,3), expected (1,8,9,3)");
  CHECK(forward_error([](ForwardArgs& a) { a.gamma = nullptr; }) ==
        "instance_norm forward: gamma is missing");
  CHECK(forward_error([](ForwardArgs& a) { a.workspace = nullptr; }) ==
        "instance_norm forward: the workspace is missing");
  CHECK(contains(forward_error([](ForwardArgs& a) { a.attr.out_pad = Pad::uniform(4); }),
                 "needs a larger picture than (1,4,5,3)"));

  BackwardArgs args = p.backward_args(GradientMode::Overwrite);
  args.dx = p.y;
  CHECK(error_of([&] { backward(context, args); }) ==
        "instance_norm backward: dx has shape (1,6,7,3), expected (1,4,5,3)");
  args = p.backward_args(GradientMode::Overwrite);
  args.dgamma = nullptr;
  CHECK(error_of([&] { backward(context, args); }) == "instance_norm backward: dgamma is missing");

  Moments moments;
  CHECK(contains(error_of([&] { accumulate_moments(context, p.x, moments, p.workspace.data()); }),
                 "the arrays of the moments are missing"));
  CHECK(contains(error_of([&] { finish_moments(moments, 3, 1e-5f, p.mean.data(), p.rstd.data()); }),
                 "no pixels were accumulated"));
  CHECK(contains(error_of([&] {
                   apply_rows(context, {.x = Dense<float>({2, 1, 1, 1}), .y = p.y});
                 }),
                 "expected one picture"));
}

}  // namespace chiaro::instance_norm
