#include <doctest/doctest.h>

#include <algorithm>

#include "apps/training/optimizer.hpp"
#include "kernels/optimizer/adam.hpp"

using namespace chiaro;

namespace {

// Two parameters of 16 floats, one behind the other, and gradients of 1 to 32.
struct TwoParams {
  ParamStore store{ParamStore::Kind::Trainable};
  TwoParams() {
    store.add("encoder", {1, 1, 1, 16});
    store.add("decoder", {1, 1, 1, 16});
    store.allocate();
    for (std::size_t i = 0; i < store.gradients().size(); ++i) store.gradients()[i] = float(i + 1);
  }
  std::vector<float> values() const { return {store.values().begin(), store.values().end()}; }
};

}  // namespace

TEST_CASE("optimizer: the learning rate falls by its factor at every interval") {
  const OptimizerConfig config{.lr = 0.5, .warmup = 0, .decay_every = 10, .decay = 0.25};
  CHECK(learning_rate(config, 1, 100) == 0.5);
  CHECK(learning_rate(config, 10, 100) == 0.5);
  CHECK(learning_rate(config, 11, 100) == 0.125);
  CHECK(learning_rate(config, 21, 100) == 0.03125);
}

TEST_CASE("optimizer: the learning rate warms up, and falls along a cosine") {
  OptimizerConfig config{.lr = 0.5, .warmup = 4};
  CHECK(learning_rate(config, 1, 100) == 0.125);
  CHECK(learning_rate(config, 3, 100) == 0.375);
  CHECK(learning_rate(config, 4, 100) == 0.5);
  CHECK(learning_rate(config, 100, 100) == 0.5);
  config.schedule = Schedule::Cosine;
  CHECK(learning_rate(config, 51, 100) == doctest::Approx(0.25));
  CHECK(learning_rate(config, 101, 100) == doctest::Approx(0).epsilon(1e-12));
  CHECK(learning_rate(config, 200, 100) == doctest::Approx(0).epsilon(1e-12));
  CHECK(learning_rate(config, 1, 100) == 0.125);
}

TEST_CASE("optimizer: running averages forget the first weights, then have the length that was asked for") {
  const OptimizerConfig config{.average = 0.9};
  CHECK(averaging_rate(config, 1) == doctest::Approx(9.0 / 11));
  CHECK(averaging_rate(config, 30) == doctest::Approx(9.0 / 40));
  CHECK(averaging_rate(config, 1000) == doctest::Approx(0.1));

  Context context(1);
  ParamStore store(ParamStore::Kind::Trainable);
  store.add("all", {1, 1, 1, 16});
  store.keep_averages();
  store.allocate();
  Optimizer optimizer(context,
                      {.method = OptimizerMethod::Sgd, .lr = 1, .warmup = 0, .momentum = 0, .average = 0.5},
                      100, store);
  std::vector<double> value(16), average(16);
  for (std::int64_t step = 1; step <= 20; ++step) {
    for (std::size_t i = 0; i < 16; ++i) store.gradients()[i] = float((step * 7 + int(i)) % 5) - 2;
    optimizer.prepare(step);
    optimizer.update();
    for (std::size_t i = 0; i < 16; ++i) {
      value[i] -= double((step * 7 + int(i)) % 5) - 2;
      average[i] += averaging_rate({.average = 0.5}, step) * (value[i] - average[i]);
    }
  }
  for (std::size_t i = 0; i < 16; ++i) {
    CHECK(double(store.values()[i]) == doctest::Approx(value[i]));
    CHECK(double(store.averages()[i]) == doctest::Approx(average[i]).epsilon(1e-5));
  }
}

TEST_CASE("optimizer: weight decay goes with the learning rate of each range") {
  Context context(1);
  for (const OptimizerMethod method : {OptimizerMethod::Adam, OptimizerMethod::Sgd}) {
    CAPTURE(static_cast<int>(method));
    const OptimizerConfig config{.method = method, .lr = 0.25, .warmup = 0, .weight_decay = 2};
    TwoParams params;
    std::ranges::fill(params.store.values(), 8.f);
    std::ranges::fill(params.store.gradients(), 0.f);
    Optimizer optimizer(context, config, 100, params.store, {{0, 16, 0.5}, {16, 16}});
    optimizer.prepare(1);
    optimizer.update();
    for (std::size_t i = 0; i < 32; ++i) CHECK(params.values()[i] == (i < 16 ? 6 : 4));
  }
}

TEST_CASE("optimizer: ranges learn at their own rates, all else equal") {
  Context context(1);
  for (const OptimizerMethod method : {OptimizerMethod::Adam, OptimizerMethod::Sgd}) {
    CAPTURE(static_cast<int>(method));
    OptimizerConfig config{.method = method, .lr = 0.25, .warmup = 0, .eps = 0};
    TwoParams whole, parts, slow;
    const auto step = [&](ParamStore& store, std::vector<ParamRange> ranges = {}) {
      Optimizer optimizer(context, config, 100, store, std::move(ranges));
      optimizer.prepare(1);
      optimizer.update();
    };
    step(whole.store);
    step(parts.store, {{0, 16, 0.5}, {16, 16}});
    config.lr = 0.125;
    step(slow.store);
    for (std::size_t i = 0; i < 32; ++i) CHECK(parts.values()[i] == (i < 16 ? slow : whole).values()[i]);
    CHECK(slow.values()[0] != whole.values()[0]);
  }
}
