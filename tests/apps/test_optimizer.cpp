#include <doctest/doctest.h>

#include <array>

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

TEST_CASE("optimizer: ranges learn at their own rates, all else equal") {
  Context context(1);
  for (const char* method : {"adam", "sgd"}) {
    CAPTURE(method);
    OptimizerConfig config{.method = method, .lr = 0.25, .eps = 0};
    TwoParams whole, parts, slow;
    optimizer_step(context, config, 1, whole.store);
    const std::array<ParamRange, 2> ranges{{{0, 16, 0.5}, {16, 16}}};
    optimizer_step(context, config, 1, parts.store, ranges);
    config.lr = 0.125;
    optimizer_step(context, config, 1, slow.store);
    for (std::size_t i = 0; i < 32; ++i) CHECK(parts.values()[i] == (i < 16 ? slow : whole).values()[i]);
    CHECK(slow.values()[0] != whole.values()[0]);
  }
}
