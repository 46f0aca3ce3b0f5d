#include "kernels/optimizer/adam.hpp"
#include "kernels/optimizer/adam_reference.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

TEST_CASE("adam: ten steps match the double reference") {
  constexpr std::int64_t count = 10007;
  adam::Hyper hyper;
  SUBCASE("no weight decay") {}
  SUBCASE("weight decay") {
    hyper.weight_decay = 0.5;
  }
  const auto start = random_values<float>(count, 1);
  std::vector<double> p = convert<double>(start), m(count), v(count);
  std::vector<std::vector<float>> gradients;
  for (unsigned t = 1; t <= 10; ++t) gradients.push_back(random_values<float>(count, 100 + t, -1e-2, 1e-2));
  for (int t = 1; t <= 10; ++t)
    adam::reference::step(hyper, t, count, convert<double>(gradients[t - 1]).data(), p.data(), m.data(),
                          v.data());
  std::vector<bf16> copy(count);
  const auto found = run_with_any_threads([&](Context& context) {
    auto param = start;
    std::vector<float> fm(count), fv(count);
    for (int t = 1; t <= 10; ++t)
      adam::step(context, hyper, t, count, gradients[t - 1].data(), param.data(), fm.data(), fv.data(),
                 copy.data());
    CHECK(nmse(m, fm) <= 1e-13);
    CHECK(nmse(v, fv) <= 1e-13);
    return param;
  });
  // Compared by the distance traveled: parameters themselves are far larger than ten steps.
  std::vector<double> exact(count), moved(count);
  for (std::int64_t i = 0; i < count; ++i) {
    exact[i] = p[i] - start[i];
    moved[i] = double(found[i]) - start[i];
  }
  CHECK(max_error(exact, moved) <= 10 * 6e-8);
  CHECK(same_bits(copy, convert<bf16>(found)));
}

TEST_CASE("adam: the first step moves every parameter by the learning rate, against the gradient") {
  Context context(1);
  const std::vector<float> grad = {1e-3f, -5.f, 0.f, 2e3f};
  std::vector<float> param(4), m(4), v(4);
  adam::step(context, {}, 1, 4, grad.data(), param.data(), m.data(), v.data());
  CHECK(param[0] == doctest::Approx(-1e-3).epsilon(1e-4));
  CHECK(param[1] == doctest::Approx(1e-3).epsilon(1e-6));
  CHECK(param[2] == 0.f);
  CHECK(param[3] == doctest::Approx(-1e-3).epsilon(1e-6));
}

TEST_CASE("adam: eps is added to the corrected root") {
  Context context(1);
  adam::Hyper hyper;
  hyper.eps = 1.0;
  const std::vector<float> grad = {1.f};
  std::vector<float> param(1), m(1), v(1);
  adam::step(context, hyper, 1, 1, grad.data(), param.data(), m.data(), v.data());
  CHECK(param[0] == doctest::Approx(-0.5e-3).epsilon(1e-6));
}

TEST_CASE("adam: weight decay takes its part of the parameters, whatever the gradient") {
  Context context(1);
  const adam::Hyper hyper{.lr = 0.125, .eps = 0, .weight_decay = 2};
  const std::vector<float> grad = {0.f, 1e-3f, -1e3f};
  std::vector<float> param(3, 8.f), m(3), v(3, 0.f);
  v[0] = 1;  // not 0 / 0
  adam::step(context, hyper, 1, 3, grad.data(), param.data(), m.data(), v.data());
  CHECK(param[0] == 6.f);
  CHECK(param[1] == doctest::Approx(6 - 0.125).epsilon(1e-6));
  CHECK(param[2] == doctest::Approx(6 + 0.125).epsilon(1e-6));
}

TEST_CASE("adam: gradient norm") {
  const auto grad = random_values<float>(100003, 1);
  double exact = 0;
  for (const float g : grad) exact += double(g) * g;
  const auto norm = run_with_any_threads([&](Context& context) {
    return std::vector<double>{adam::gradient_norm(context, 100003, grad.data())};
  });
  CHECK(norm[0] == doctest::Approx(std::sqrt(exact)).epsilon(1e-12));
}

TEST_CASE("adam: wrong arguments are refused") {
  Context context(1);
  std::vector<float> x(1);
  CHECK(error_of([&] { adam::step(context, {}, 0, 1, x.data(), x.data(), x.data(), x.data()); }) ==
        "adam: step number 0, expected 1 or more");
  CHECK(error_of([&] { adam::step(context, {}, 1, 1, nullptr, x.data(), x.data(), x.data()); }) ==
        "adam: grad, param, m and v must all be given");
  const adam::Hyper negative{.weight_decay = -1};
  CHECK(error_of([&] { adam::step(context, negative, 1, 1, x.data(), x.data(), x.data(), x.data()); }) ==
        "adam: weight decay -1 must not be negative");
}

}  // namespace chiaro
