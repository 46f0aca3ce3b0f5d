#include <doctest/doctest.h>

#include <algorithm>

#include "apps/training/optimizer.hpp"
#include "kernels/adam/adam.hpp"

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
  const OptimizerConfig config{.lr = 0.5, .decay_every = 10, .decay = 0.25};
  CHECK(learning_rate(config, 1) == 0.5);
  CHECK(learning_rate(config, 10) == 0.5);
  CHECK(learning_rate(config, 11) == 0.125);
  CHECK(learning_rate(config, 21) == 0.03125);
}

TEST_CASE("optimizer: weight decay goes with the learning rate of each range") {
  Context context(1);
  for (const char* method : {"adam", "sgd"}) {
    CAPTURE(method);
    const OptimizerConfig config{.method = method, .lr = 0.25, .weight_decay = 2};
    TwoParams params;
    std::ranges::fill(params.store.values(), 8.f);
    std::ranges::fill(params.store.gradients(), 0.f);
    Optimizer optimizer(context, config, params.store, {{0, 16, 0.5}, {16, 16}});
    optimizer.prepare(1);
    optimizer.update();
    for (std::size_t i = 0; i < 32; ++i) CHECK(params.values()[i] == (i < 16 ? 6 : 4));
  }
}

TEST_CASE("optimizer: ranges learn at their own rates, all else equal") {
  Context context(1);
  for (const char* method : {"adam", "sgd"}) {
    CAPTURE(method);
    OptimizerConfig config{.method = method, .lr = 0.25, .eps = 0};
    TwoParams whole, parts, slow;
    const auto step = [&](ParamStore& store, std::vector<ParamRange> ranges = {}) {
      Optimizer optimizer(context, config, store, std::move(ranges));
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
