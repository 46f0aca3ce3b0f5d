#include "kernels/optimizer/sgd.hpp"
#include "kernels/optimizer/sgd_reference.hpp"
#include "tests/kernels/every_device.hpp"

namespace chiaro::testing {

TEST_CASE("sgd: ten steps with a falling learning rate match the double reference") {
  const std::int64_t count = on_cpu() ? 50021 : 3001;  // several blocks and a rest
  const auto start = random_values<float>(count, 1);
  std::vector<double> p = convert<double>(start), v(count), exact(count);
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
  // Compared by the distance traveled: parameters themselves are far larger than ten steps.
  for (std::int64_t i = 0; i < count; ++i) exact[i] = p[i] - start[i];
  for (const std::int64_t offset : {0, 1}) {
    INFO("offset ", offset);
    check_every_order([&](Context& context) {
      const OpArray<float> param(context, start, offset),
          velocity(context, std::vector<float>(count, 0.0f), offset);
      for (int t = 0; t < 10; ++t) {
        const OpArray<float> grad(context, gradients[t], offset);
        const OpArray<sgd::Factors> factors(context, std::vector<sgd::Factors>{sgd::factors(hyper(t))});
        if (t % 2)  // by value, or in memory
          sgd::step(context, hyper(t), count, grad.data(), param.data(), velocity.data());
        else
          sgd::step(context, factors.data(), count, grad.data(), param.data(), velocity.data());
        synchronize(context);
      }
      CHECK(nmse(v, velocity.host()) <= 1e-13);
      auto moved = convert<double>(param.host());
      for (std::int64_t i = 0; i < count; ++i) moved[i] -= start[i];
      CHECK(max_error(exact, moved) <= 10 * 6e-8);
      return OpBits() << param << velocity;
    });
  }
}

TEST_CASE("sgd: exact on numbers that fp32 holds") {
  Context context = context_under_test();
  const OpArray<float> param(context, {1, 2, -4}), velocity(context, {0, 0, 0}), grad(context, {4, 0, -8});
  const sgd::Hyper hyper{.lr = 0.25, .momentum = 0.5};
  sgd::step(context, hyper, 3, grad.data(), param.data(), velocity.data());
  CHECK(param.host() == std::vector<float>{0, 2, -2});
  CHECK(velocity.host() == grad.host());
  sgd::step(context, hyper, 3, grad.data(), param.data(), velocity.data());
  CHECK(velocity.host() == std::vector<float>{6, 0, -12});
  CHECK(param.host() == std::vector<float>{-1.5f, 2, 1});
}

TEST_CASE("sgd: weight decay takes its part of the parameters and does not enter the velocity") {
  Context context = context_under_test();
  const OpArray<float> param(context, std::vector<float>{8, -8}), velocity(context, std::vector<float>{0, 0}),
      grad(context, std::vector<float>{0, 4});
  const sgd::Hyper hyper{.lr = 0.5, .momentum = 0.5, .weight_decay = 0.25};
  sgd::step(context, hyper, 2, grad.data(), param.data(), velocity.data());
  CHECK(param.host() == std::vector<float>{7, -9});
  CHECK(velocity.host() == grad.host());
}

TEST_CASE("sgd: wrong arguments are refused") {
  Context context = context_under_test();
  const OpArray<float> x(context, 1);
  CHECK(error_of([&] { sgd::step(context, {.momentum = 1}, 1, x.data(), x.data(), x.data()); }) ==
        "sgd: momentum 1 must be in [0, 1)");
  CHECK(error_of([&] { sgd::step(context, sgd::Hyper{}, 1, nullptr, x.data(), x.data()); }) ==
        "sgd: grad, param and velocity must all be given");
  CHECK(error_of([&] { sgd::step(context, {.weight_decay = -1}, 1, x.data(), x.data(), x.data()); }) ==
        "sgd: weight decay -1 must not be negative");
}

}  // namespace chiaro::testing
