// The gradient of the depth term, through the depth network and the transform network. (A public
// implementation of this loss had none: its criterion was never switched on.)
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/layers/style_step.hpp"
#include "tests/support/forced_implementation.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

StyleStepConfig depth_config(double weight, std::vector<std::string> layers) {
  StyleStepConfig config;
  config.weights = {0, 7.5, weight, 0};  // in the order of kTerms
  config.depth_layers = std::move(layers);
  return config;
}

double depth_loss(StyleStep& step) {
  step.forward();
  return step.session().loss("depth");
}

// By how much the weighted depth loss changes per step of the parameters along its gradient: what the
// backward pass says, and what central differences of two forward passes say.
struct Slopes {
  double analytic = 0, measured = 0;
};
Slopes slopes(StyleStep& step, double weight) {
  depth_loss(step);
  step.session().backward("depth");
  const std::vector<float> gradient = step.parameter_gradients();
  const double length = norm(gradient);
  const std::span<float> values = step.params().values();
  const std::vector<float> before(values.begin(), values.end());
  constexpr double kStep = 1e-4;
  const auto loss_at = [&](double distance) {
    for (std::size_t i = 0; i < before.size(); ++i)
      values[i] = static_cast<float>(before[i] + distance * gradient[i] / length);
    step.params().values_changed();
    return weight * depth_loss(step);
  };
  const double above = loss_at(kStep), below = loss_at(-kStep);
  loss_at(0);
  return {length, (above - below) / (2 * kStep)};
}

}  // namespace

TEST_CASE(
    "depth loss: its gradient is not zero and agrees with finite differences through the whole network") {
  const ForcedImplementation reference(
      "conv2d:reference");  // sums in double: differences are not lost in rounding
  constexpr double kWeight = 1e2;
  const std::vector<std::vector<std::string>> choices{
      {"prediction"}, {"up_8x", "up_16x", "prediction"}, {"res3d", "layer1"}};
  for (const auto& layers : choices) {
    CAPTURE(layers[0]);
    Context context;
    StyleStep step(context, depth_config(kWeight, layers));
    const Slopes found = slopes(step, kWeight);
    MESSAGE(layers[0], ": backward ", found.analytic, ", differences ", found.measured);
    CHECK(found.analytic > 0);
    CHECK(found.measured == doctest::Approx(found.analytic).epsilon(2e-3));
  }
}

TEST_CASE("depth loss: a weight of 0 leaves no trace of it") {
  Context context;
  StyleStep without(context, depth_config(0, {"prediction"}));
  const auto& nodes = without.session().graph().nodes();
  CHECK(std::none_of(nodes.begin(), nodes.end(), [](const auto& node) { return node.loss_term == "depth"; }));
  without.forward();
  without.backward();
  StyleStep with(context, depth_config(1e2, {"prediction"}));
  with.forward();
  with.session().backward("content");
  CHECK(without.parameter_gradients() == with.parameter_gradients());
}
