// The session on whole style steps: memory reuse is invisible, gradients add up and are right, misuse is
// refused. Small networks with hashed weights; between them the steps contain every type of layer.
#include "engine/session.hpp"

#include <doctest/doctest.h>

#include <set>

#include "layers/conv2d_layer.hpp"
#include "layers/relu_layer.hpp"
#include "tests/layers/style_step.hpp"
#include "tests/support/compare.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

struct Variant {
  std::string name;
  StyleStepConfig config;
};

std::vector<Variant> variants() {
  const TransformNet nearest{.width = 8, .residual_blocks = 2};
  const TransformNet transposed{.width = 4,
                                .residual_blocks = 1,
                                .upsample = Upsample::Transposed,
                                .padding = Padding::Zero,
                                .output = OutputRange::Tanh150};
  const TransformNet zero{.width = 4, .residual_blocks = 0, .padding = Padding::Zero};
  return {{"nearest", {.network = nearest}},
          {"nearest bf16", {.network = nearest, .dtype = DType::BF16}},
          {"transposed, features before and after a ReLU",
           {.network = transposed,
            .network_rule = hash_rule,
            .photo = {1, 32, 32, 3},
            .style_layers = {"conv3_1", "relu3_1"}}},
          {"losses between the sums of the depth network",
           {.network = nearest, .depth_layers = {"res2a", "res3b", "res5b", "layer1"}}},
          {"odd size", {.network = nearest, .photo = {1, 33, 35, 3}}},
          {"zero padding bf16, odd size", {.network = zero, .photo = {2, 34, 33, 3}, .dtype = DType::BF16}}};
}

struct Result {
  std::vector<double> terms;
  std::vector<float> parameter_gradients, picture_gradient;

  bool operator==(const Result&) const = default;
};

Result run(StyleStep& step, int photo = 0) {
  step.forward(photo);
  const auto terms = step.terms();
  step.backward();
  return {terms, step.parameter_gradients(), step.picture_gradient()};
}

Result run(Context& context, StyleStepConfig config, bool reuse_memory, bool poison) {
  config.session.reuse_memory = reuse_memory;
  config.session.poison = poison;
  StyleStep step(context, config);
  return run(step);
}

bool is_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

}  // namespace

TEST_CASE("session: reusing memory changes no bit of a step") {
  Context context;
  for (const auto& [name, config] : variants()) {
    CAPTURE(name);
    const Result apart = run(context, config, /*reuse_memory=*/false, /*poison=*/false);
    CHECK(is_finite(apart.parameter_gradients));
    CHECK(is_finite(apart.picture_gradient));
    CHECK(norm(apart.parameter_gradients) > 0);
    CHECK(run(context, config, true, false) == apart);
  }
}

// Memory that the plan calls dead is filled with NaN: a layer that reads what it has not declared shows.
TEST_CASE("session: layers read only what they declare") {
  Context context;
  for (const auto& [name, config] : variants()) {
    CAPTURE(name);
    const Result apart = run(context, config, false, false);
    CHECK(run(context, config, true, true) == apart);
    CHECK(run(context, config, false, true) == apart);
  }
}

TEST_CASE("session: the same step again gives the same bits, another photo others") {
  Context context;
  for (const auto& [name, config] : variants()) {
    CAPTURE(name);
    StyleStep step(context, config);
    const Result first = run(step), other = run(step, 1), again = run(step);
    CHECK(again == first);
    CHECK(other.terms != first.terms);
  }
}

TEST_CASE("session: both passes in one call give the bits of two, the values of all losses included") {
  Context context;
  for (const auto& [name, variant] : variants()) {
    CAPTURE(name);
    auto config = variant;
    const Result apart = run(context, config, false, false);
    config.session.poison = true;
    StyleStep step(context, config);
    step.forward_backward();
    CHECK(Result{step.terms(), step.parameter_gradients(), step.picture_gradient()} == apart);
  }
}

// Bottlenecks of the depth network add their shortcuts where they lie. Behind res2a, res3b and res5b a loss
// writes the gradient first.
TEST_CASE("session: the gradient of a sum is passed on where it lies, unless a loss has written there") {
  Context context;
  const auto passed_on = [&](StyleStepConfig config, bool reuse_memory) {
    config.session.reuse_memory = reuse_memory;
    const StyleStep step(context, config);
    const auto in_place = gradients_in_place(step.session().graph(), step.session().plan());
    return std::ranges::count(in_place, true);
  };
  StyleStepConfig between;
  between.depth_layers = {"res2a", "res3b", "res5b", "layer1"};
  CHECK(passed_on({}, true) == 16);
  CHECK(passed_on({}, false) == 0);
  CHECK(passed_on(between, true) == 13);
}

TEST_CASE("session: the steps above contain every type of layer") {
  Context context;
  std::set<std::string> types;
  for (const auto& [name, config] : variants()) {
    const StyleStep step(context, config);
    for (const auto& node : step.session().graph().nodes()) types.insert(node.layer->type());
  }
  const std::set<std::string> all{"pad",          "conv2d",        "conv_transpose2d", "crop",
                                  "feature_loss", "instance_norm", "pixel_shuffle",    "max_pool",
                                  "preprocess",   "relu",          "style_loss",       "tanh_output",
                                  "tv_loss",      "upsample_conv"};
  CHECK(types == all);
}

TEST_CASE("session: a term of weight 0 is absent") {
  Context context;
  StyleStepConfig config;
  config.weights = {1e2, 0, 0, 0};
  const StyleStep style(context, config), all(context, {});
  CHECK(style.session().graph().loss_terms() == std::vector<std::string>{"style"});
  CHECK(all.session().graph().loss_terms() == std::vector<std::string>(kTerms.begin(), kTerms.end()));
  for (const auto& node : style.session().graph().nodes()) CHECK(!contains(node.name, "layer1"));
  // Of all blocks, not of the arena: how large that is may hang on one step that both have.
  const auto bytes = [](const StyleStep& step) {
    std::int64_t sum = 0;
    for (const MemoryBlock& block : step.session().plan().blocks) sum += block.bytes;
    return sum;
  };
  CHECK(bytes(style) < bytes(all));
}

TEST_CASE("session: gradients of single terms add up to the gradient of all") {
  Context context;
  StyleStep step(context, {});
  std::vector<double> sum;
  for (const auto& term : kTerms) {
    step.forward();
    step.session().backward(term, step.generated());
    const auto gradient = step.picture_gradient();
    CHECK(norm(gradient) > 0);
    sum.resize(gradient.size());
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += gradient[i];
  }
  step.forward();
  step.session().backward();
  const auto total = step.picture_gradient();
  CHECK(nmse(total, std::vector<float>(sum.begin(), sum.end())) <= 1e-12);
}

TEST_CASE("session: backward up to the generated picture leaves parameter gradients alone") {
  Context context;
  StyleStep step(context, {});
  const auto before = run(step).parameter_gradients;
  step.forward(1);
  step.session().backward("", step.generated());
  CHECK(step.parameter_gradients() == before);
}

TEST_CASE("session: backward from a gradient that the caller gives is the step's own") {
  Context context;
  StyleStep step(context, {});
  const Result whole = run(step);
  step.forward();
  fill(step.session().gradient(step.generated()), whole.picture_gradient);
  step.session().backward_from(step.generated());
  CHECK(step.parameter_gradients() == whole.parameter_gradients);
}

// Central differences along the gradient itself, through the transform network, the loss networks and the
// losses, in fp32. The step makes the loss change by a thousandth: rounding is then far below the tolerance,
// and so is what ReLUs that switch contribute.
TEST_CASE("session: the gradient of every term is the slope of its loss") {
  Context context;
  for (std::size_t t = 0; t < kTerms.size(); ++t) {
    CAPTURE(kTerms[t]);
    StyleStepConfig config;
    config.weights = {0, 0, 0, 0};
    config.weights[t] = 1;
    StyleStep step(context, config);
    step.forward();
    const double loss = step.total();
    step.backward();
    const auto gradient = step.parameter_gradients();
    const double squared_norm = norm(gradient) * norm(gradient);
    REQUIRE(squared_norm > 0);
    const double h = 5e-4 * loss / squared_norm;
    const std::vector<float> start(step.params().values().begin(), step.params().values().end());
    const auto loss_at = [&](double distance) {
      for (std::size_t i = 0; i < start.size(); ++i)
        step.params().values()[i] = static_cast<float>(start[i] + distance * gradient[i]);
      step.params().values_changed();
      step.forward();
      return step.total();
    };
    const double slope = (loss_at(h) - loss_at(-h)) / (2 * h);
    CHECK(slope == doctest::Approx(squared_norm).epsilon(0.01));
  }
}

TEST_CASE("session: the plan is no smaller than the largest moment needs and smaller than everything apart") {
  Context context;
  for (const auto& [name, config] : variants()) {
    CAPTURE(name);
    const StyleStep step(context, config);
    const MemoryPlan& memory = step.session().plan().memory;
    CHECK(memory.lower_bound <= memory.arena_bytes);
    CHECK(memory.arena_bytes < memory.unshared_bytes / 2);
    CHECK(memory.arena_bytes <= memory.lower_bound * 5 / 4);
  }
}

TEST_CASE("session: a trainable parameter that is used twice is refused") {
  Context context;
  ParamStore store(ParamStore::Kind::Trainable);
  Graph graph(context);
  const Param weight = add_param(store, "shared.weight", {4, 1, 1, 4});
  TensorId x = graph.add_input("x", {{1, 4, 4, 4}, DType::F32});
  x = graph.add("first", std::make_unique<Conv2dLayer>(weight, Param{}, Conv2dOptions{}), {x});
  x = graph.add("second", std::make_unique<Conv2dLayer>(weight, Param{}, Conv2dOptions{}), {x});
  store.allocate();
  const std::string error = error_of([&] { Session session(std::move(graph), {.backward = true}); });
  CHECK(error == "second: trainable parameter 'shared.weight' is already used by first");
}

TEST_CASE("session: a frozen parameter may be used twice") {
  Context context;
  ParamStore store(ParamStore::Kind::Frozen);
  Graph graph(context);
  TensorId x = graph.add_input("x", {{1, 4, 4, 4}, DType::F32});
  for (const char* name : {"first", "second"})
    x = graph.add(name,
                  std::make_unique<Conv2dLayer>(add_param(store, "shared.weight", {4, 1, 1, 4}), Param{},
                                                Conv2dOptions{}),
                  {x});
  store.allocate();
  CHECK(error_of([&] { Session session(std::move(graph), {.backward = true}); }) == "");
}

TEST_CASE("session: backward needs a plan for it and gradients that exist") {
  Context context;
  const auto make_session = [&](SessionOptions options) {
    Graph graph(context);
    const TensorId x = graph.add_input("x", {{1, 4, 4, 4}, DType::F32});
    graph.keep(graph.add("y", std::make_unique<ReluLayer>(), {x}));
    return Session(std::move(graph), options);
  };
  Session forward_only = make_session({}), frozen = make_session({.backward = true});
  CHECK(error_of([&] { forward_only.backward(); }) == "this session was planned without a backward pass");
  CHECK(error_of([&] { frozen.gradient(0); }) == "tensor 'x' has no gradient in this session");
}

// A loss on nothing that is trained has no backward memory planned.
TEST_CASE("session: a loss that depends on nothing trainable is skipped in backward") {
  Context context;
  Graph graph(context);
  const TensorId x = graph.add_input("x", {{1, 4, 4, 4}, DType::F32});
  Buffer target(4 * 4 * 4, "target");
  std::fill_n(target.as<float>(), 16, 1.f);
  graph.add_loss("style", "style",
                 std::make_unique<StyleLossLayer>(StyleTargets{std::move(target), {}},
                                                  StyleLossLayer::Reduction::Mean, LossOptions{}),
                 {x});
  Session session(std::move(graph), {.backward = true});
  fill(session.tensor(x), std::vector<float>(64, 1.f));
  session.forward();
  session.backward();
  CHECK(session.loss("style") == doctest::Approx(0.75 * 0.75));
}

TEST_CASE("graph: errors name the node") {
  Context context;
  Graph graph(context);
  ParamStore store(ParamStore::Kind::Frozen);
  const Param weight = add_param(store, "w", {4, 3, 3, 8});
  const TensorId x = graph.add_input("x", {{1, 8, 8, 3}, DType::F32});
  const auto layer = [&] { return std::make_unique<Conv2dLayer>(weight, Param{}, Conv2dOptions{}); };
  CHECK(error_of([&] { graph.add("conv7", layer(), {x}); }) ==
        "conv7: conv2d: weights (4,3,3,8) expect 8 input channels, the input is (1,8,8,3)");
  CHECK(error_of([&] { graph.add("conv8", layer(), {5}); }) == "conv8: input tensor 5 does not exist");
  CHECK(error_of([&] { graph.add_loss("style", "conv9", layer(), {x}); }) ==
        "conv9: conv2d is not a loss layer");
  CHECK(error_of([&] {
          graph.add_input("empty", {{1, 0, 8, 3}, DType::F32});
        }) == "input 'empty' has the empty shape (1,0,8,3)");
}
