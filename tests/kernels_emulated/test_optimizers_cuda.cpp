#include "kernels/optimizer/adam_cuda.hpp"
#include "kernels/optimizer/adam_reference.hpp"
#include "kernels/optimizer/sgd_cuda.hpp"
#include "kernels/optimizer/sgd_reference.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

namespace {
constexpr std::int64_t kParameters = 3001;
}

TEST_CASE("adam cuda: ten steps match the double reference, the copy is the rounded parameters") {
  const adam::Hyper hyper{.weight_decay = 0.5};
  const auto start = normal_values<float>(kParameters, 1);
  std::vector<double> p = convert<double>(start), m(kParameters), v(kParameters), traveled(kParameters);
  for (int t = 1; t <= 10; ++t)
    adam::reference::step(hyper, t, kParameters,
                          convert<double>(normal_values<float>(kParameters, 100 + t, 0, 1e-2f)).data(),
                          p.data(), m.data(), v.data());
  for (std::int64_t i = 0; i < kParameters; ++i) traveled[i] = p[i] - start[i];
  for (const std::int64_t offset : {0, 1})
    for (const bool on_device : {false, true})
      check_every_schedule([&] {
        const std::vector<float> zero(kParameters, 0.0f);
        DeviceArray<float> param(start, offset), mean(zero, offset), square(zero, offset);
        DeviceArray<bf16> copy(kParameters, offset);
        for (int t = 1; t <= 10; ++t) {
          DeviceArray<float> grad(normal_values<float>(kParameters, 100 + t, 0, 1e-2f), offset);
          const adam::Factors factors = adam::factors(hyper, t);
          if (on_device)
            adam::cuda::step(nullptr, &factors, kParameters, grad.data(), param.data(), mean.data(),
                             square.data(), copy.data());
          else
            adam::cuda::step(nullptr, factors, kParameters, grad.data(), param.data(), mean.data(),
                             square.data(), copy.data());
        }
        CHECK(nmse(m, mean.host()) <= 1e-13);
        CHECK(nmse(v, square.host()) <= 1e-13);
        auto moved = convert<double>(param.host());
        for (std::int64_t i = 0; i < kParameters; ++i) moved[i] -= start[i];
        double worst = 0;
        for (std::int64_t i = 0; i < kParameters; ++i)
          worst = std::max(worst, std::abs(moved[i] - traveled[i]));
        CHECK(worst <= 10 * 1.2e-7 * 4);  // rounding of parameters of a few units
        CHECK(same_bits(copy.host(), convert<bf16>(param.host())));
        return Bits() << param << mean << square << copy;
      });
}

TEST_CASE("adam cuda: gradient norm in two launches") {
  for (const std::int64_t count : {1, 1000, 300001}) {
    const auto grad = normal_values<float>(count, 1);
    double squares = 0;
    for (const float g : grad) squares += double(g) * g;
    const auto run = [&] {
      DeviceArray<float> g(grad);
      DeviceArray<double> norm(1), workspace(adam::cuda::gradient_norm_workspace_bytes() / 8);
      adam::cuda::gradient_norm(nullptr, count, g.data(), norm.data(), workspace.data());
      CHECK(norm.host()[0] == doctest::Approx(std::sqrt(squares)).epsilon(1e-12));
      return Bits() << norm;
    };
    CHECK(launches_of(run) == std::vector<std::string>{"gradient_squares", "finish_sum"});
    if (count <= 1000) check_every_schedule(run);
  }
}

TEST_CASE("sgd cuda: steps match the double reference") {
  const auto start = normal_values<float>(kParameters, 1);
  const sgd::Hyper hyper{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.5};
  std::vector<double> p = convert<double>(start), v(kParameters);
  for (int t = 1; t <= 5; ++t)
    sgd::reference::step(hyper, kParameters,
                         convert<double>(normal_values<float>(kParameters, 100 + t)).data(), p.data(),
                         v.data());
  check_every_schedule([&] {
    DeviceArray<float> param(start), velocity(std::vector<float>(kParameters, 0.0f));
    DeviceArray<bf16> copy(kParameters);
    const sgd::Factors factors = sgd::factors(hyper);
    for (int t = 1; t <= 5; ++t) {
      DeviceArray<float> grad(normal_values<float>(kParameters, 100 + t));
      if (t % 2)
        sgd::cuda::step(nullptr, factors, kParameters, grad.data(), param.data(), velocity.data(),
                        copy.data());
      else
        sgd::cuda::step(nullptr, &factors, kParameters, grad.data(), param.data(), velocity.data(),
                        copy.data());
    }
    CHECK(nmse(p, param.host()) <= 1e-13);
    CHECK(nmse(v, velocity.host()) <= 1e-13);
    CHECK(same_bits(copy.host(), convert<bf16>(param.host())));
    return Bits() << param << velocity << copy;
  });
}

}  // namespace chiaro::emulated
