#include "kernels/optimizer/sgd.hpp"
#include "kernels/optimizer/sgd_reference.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

TEST_CASE("sgd: ten steps with a falling learning rate match the double reference") {
  constexpr std::int64_t count = 50021;  // several blocks and a rest
  const auto start = random_values<float>(count, 1);
  std::vector<double> p = convert<double>(start), v(count);
  std::vector<std::vector<float>> gradients;
  for (unsigned t = 0; t < 10; ++t) gradients.push_back(random_values<float>(count, 100 + t, -1e-2, 1e-2));
  double decay = 0;
  SUBCASE("no weight decay") {}
  SUBCASE("weight decay") {
    decay = 0.125;
  }
  const auto hyper = [&](int t) {
    return sgd::Hyper{.lr = t < 5 ? 0.5 : 0.05, .momentum = 0.9, .weight_decay = decay};
  };
  for (int t = 0; t < 10; ++t)
    sgd::reference::step(hyper(t), count, convert<double>(gradients[t]).data(), p.data(), v.data());
  const auto found = run_with_any_threads([&](Context& context) {
    auto param = start;
    std::vector<float> velocity(count);
    for (int t = 0; t < 10; ++t)
      sgd::step(context, hyper(t), count, gradients[t].data(), param.data(), velocity.data());
    CHECK(nmse(v, velocity) <= 1e-13);
    return param;
  });
  // Compared by the distance traveled: parameters themselves are far larger than ten steps.
  std::vector<double> exact(count), moved(count);
  for (std::int64_t i = 0; i < count; ++i) {
    exact[i] = p[i] - start[i];
    moved[i] = double(found[i]) - start[i];
  }
  CHECK(max_error(exact, moved) <= 10 * 6e-8);
}

TEST_CASE("sgd: exact on numbers that fp32 holds") {
  Context context(1);
  std::vector<float> param = {1, 2, -4}, velocity(3);
  const std::vector<float> grad = {4, 0, -8};
  const sgd::Hyper hyper{.lr = 0.25, .momentum = 0.5};
  sgd::step(context, hyper, 3, grad.data(), param.data(), velocity.data());
  CHECK(param == std::vector<float>{0, 2, -2});
  CHECK(velocity == grad);
  sgd::step(context, hyper, 3, grad.data(), param.data(), velocity.data());
  CHECK(velocity == std::vector<float>{6, 0, -12});
  CHECK(param == std::vector<float>{-1.5f, 2, 1});
}

TEST_CASE("sgd: weight decay takes its part of the parameters and does not enter the velocity") {
  Context context(1);
  std::vector<float> param = {8, -8}, velocity(2);
  const std::vector<float> grad = {0, 4};
  const sgd::Hyper hyper{.lr = 0.5, .momentum = 0.5, .weight_decay = 0.25};
  sgd::step(context, hyper, 2, grad.data(), param.data(), velocity.data());
  CHECK(param == std::vector<float>{7, -9});
  CHECK(velocity == grad);
}

TEST_CASE("sgd: wrong arguments are refused") {
  Context context(1);
  std::vector<float> x(1);
  CHECK(error_of([&] { sgd::step(context, {.momentum = 1}, 1, x.data(), x.data(), x.data()); }) ==
        "sgd: momentum 1 must be in [0, 1)");
  CHECK(error_of([&] { sgd::step(context, sgd::Hyper{}, 1, nullptr, x.data(), x.data()); }) ==
        "sgd: grad, param and velocity must all be given");
  CHECK(error_of([&] { sgd::step(context, {.weight_decay = -1}, 1, x.data(), x.data(), x.data()); }) ==
        "sgd: weight decay -1 must not be negative");
}

}  // namespace chiaro
