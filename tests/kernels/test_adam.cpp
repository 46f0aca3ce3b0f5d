#include "kernels/optimizer/adam.hpp"
#include "kernels/optimizer/adam_reference.hpp"
#include "tests/kernels/every_device.hpp"

namespace chiaro::testing {

namespace {

// One step of parameters that begin at `param`, with moments of 0 but for `squares`.
std::vector<float> first_adam_step(const adam::Hyper& hyper, const std::vector<float>& grad,
                                   const std::vector<float>& param, std::vector<float> squares = {}) {
  Context context = context_under_test();
  const std::vector<float> zero(grad.size(), 0.0f);
  if (squares.empty()) squares = zero;
  const OpArray<float> g(context, grad), p(context, param), m(context, zero), v(context, squares);
  adam::step(context, hyper, 1, std::int64_t(grad.size()), g.data(), p.data(), m.data(), v.data());
  return p.host();
}

}  // namespace

TEST_CASE("adam: ten steps match the double reference, the copy is the rounded parameters") {
  const std::int64_t count = on_cpu() ? 10007 : 3001;
  adam::Hyper hyper;
  SUBCASE("no weight decay") {}
  SUBCASE("weight decay") {
    hyper.weight_decay = 0.5;
  }
  const auto start = random_values<float>(count, 1);
  std::vector<double> p = convert<double>(start), m(count), v(count), exact(count);
  std::vector<std::vector<float>> gradients;
  for (unsigned t = 1; t <= 10; ++t) gradients.push_back(random_values<float>(count, 100 + t, -1e-2, 1e-2));
  for (int t = 1; t <= 10; ++t)
    adam::reference::step(hyper, t, count, convert<double>(gradients[t - 1]).data(), p.data(), m.data(),
                          v.data());
  // Compared by the distance traveled: parameters themselves are far larger than ten steps.
  for (std::int64_t i = 0; i < count; ++i) exact[i] = p[i] - start[i];
  for (const std::int64_t offset : {0, 1})
    for (const bool in_memory : {false, true}) {
      INFO("offset ", offset, ", factors in memory: ", in_memory);
      check_every_order(
          [&](Context& context) {
            const std::vector<float> zero(count, 0.0f);
            const OpArray<float> param(context, start, offset), fm(context, zero, offset),
                fv(context, zero, offset);
            const OpArray<bf16> copy(context, count, offset);
            for (int t = 1; t <= 10; ++t) {
              const OpArray<float> grad(context, gradients[t - 1], offset);
              const OpArray<adam::Factors> factors(context,
                                                   std::vector<adam::Factors>{adam::factors(hyper, t)});
              if (in_memory)
                adam::step(context, factors.data(), count, grad.data(), param.data(), fm.data(), fv.data(),
                           copy.data());
              else
                adam::step(context, hyper, t, count, grad.data(), param.data(), fm.data(), fv.data(),
                           copy.data());
              synchronize(context);
            }
            CHECK(nmse(m, fm.host()) <= 1e-13);
            CHECK(nmse(v, fv.host()) <= 1e-13);
            auto moved = convert<double>(param.host());
            for (std::int64_t i = 0; i < count; ++i) moved[i] -= start[i];
            CHECK(max_error(exact, moved) <= 10 * 6e-8);
            CHECK(same_bits(copy.host(), convert<bf16>(param.host())));
            return OpBits() << param << fm << fv << copy;
          },
          count);
    }
}

TEST_CASE("adam: the first step moves every parameter by the learning rate, against the gradient") {
  const auto param = first_adam_step({}, {1e-3f, -5.f, 0.f, 2e3f}, {0, 0, 0, 0});
  CHECK(param[0] == doctest::Approx(-1e-3).epsilon(1e-4));
  CHECK(param[1] == doctest::Approx(1e-3).epsilon(1e-6));
  CHECK(param[2] == 0.f);
  CHECK(param[3] == doctest::Approx(-1e-3).epsilon(1e-6));
}

TEST_CASE("adam: eps is added to the corrected root") {
  const auto param = first_adam_step({.eps = 1}, std::vector<float>{1}, std::vector<float>{0});
  CHECK(param[0] == doctest::Approx(-0.5e-3).epsilon(1e-6));
}

TEST_CASE("adam: weight decay takes its part of the parameters, whatever the gradient") {
  // The first second moment is not 0, for 0 / 0.
  const auto param =
      first_adam_step({.lr = 0.125, .eps = 0, .weight_decay = 2}, {0.f, 1e-3f, -1e3f}, {8, 8, 8}, {1, 0, 0});
  CHECK(param[0] == 6.f);
  CHECK(param[1] == doctest::Approx(6 - 0.125).epsilon(1e-6));
  CHECK(param[2] == doctest::Approx(6 + 0.125).epsilon(1e-6));
}

TEST_CASE("adam: gradient norm") {
  for (const std::int64_t count : {1, 1000, 100003}) {
    const auto grad = random_values<float>(count, 1);
    double squares = 0;
    for (const float g : grad) squares += double(g) * g;
    check_every_order(
        [&](Context& context) {
          const OpArray<float> g(context, grad);
          const OpArray<double> norm(context, 1);
          const Workspace workspace(context, adam::gradient_norm_workspace_bytes(context));
          check_launches({"gradient_squares", "finish_sum"}, context, [&] {
            adam::gradient_norm(context, count, g.data(), norm.data(), workspace.data());
          });
          CHECK(norm.first() == doctest::Approx(std::sqrt(squares)).epsilon(1e-12));
          CHECK(adam::gradient_norm(context, count, g.data()) == norm.first());
          return OpBits() << norm;
        },
        count);
  }
}

TEST_CASE("adam: wrong arguments are refused") {
  Context context = context_under_test();
  const OpArray<float> x(context, 1);
  CHECK(error_of([&] { adam::step(context, {}, 0, 1, x.data(), x.data(), x.data(), x.data()); }) ==
        "adam: step number 0, expected 1 or more");
  CHECK(error_of([&] { adam::step(context, {}, 1, 1, nullptr, x.data(), x.data(), x.data()); }) ==
        "adam: grad, param, m and v must all be given");
  const adam::Hyper negative{.weight_decay = -1};
  CHECK(error_of([&] { adam::step(context, negative, 1, 1, x.data(), x.data(), x.data(), x.data()); }) ==
        "adam: weight decay -1 must not be negative");
}

}  // namespace chiaro::testing
