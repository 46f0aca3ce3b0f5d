// The depth network in training form: batch norm and depth loss inside a session, agreement with the
// inference form, gradients, and what goes to and comes from files. Its values are compared with PyTorch's in
// test_golden_upproj_training.cpp.
#include <doctest/doctest.h>

#include <numeric>

#include "layers/batch_norm_layer.hpp"
#include "tests/layers/upproj_training_step.hpp"
#include "tests/support/compare.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

const ResnetUpproj kTiny{.width = 2, .has_stage5 = false};
const ResnetUpproj kTinyDecoder{.width = 2, .has_stage5 = false, .decoder_width = 24, .up_projections = 3};
const ResnetUpproj kTinyStage5{.width = 2, .padding = ResnetUpproj::Side::Make3d};

struct Outcome {
  double loss;
  std::vector<float> prediction, gradients, statistics;
  bool operator==(const Outcome&) const = default;
};

Outcome run(Context& context, const UpprojStepConfig& config) {
  UpprojStep step(context, config);
  Outcome outcome;
  step.forward();
  outcome.loss = step.session().loss("depth");
  outcome.prediction = to_floats(step.session().tensor(step.prediction()));
  step.session().backward();
  outcome.gradients.assign(step.params().gradients().begin(), step.params().gradients().end());
  outcome.statistics.assign(step.statistics().values().begin(), step.statistics().values().end());
  return outcome;
}

std::map<std::string, std::vector<float>> by_name(const std::vector<NamedTensor>& tensors) {
  std::map<std::string, std::vector<float>> table;
  for (const auto& tensor : tensors) table[tensor.name] = tensor.values;
  return table;
}

// One feature of the inference form with a file's tensors.
std::vector<float> inference(Context& context, const ResnetUpproj& config,
                             const std::vector<NamedTensor>& tensors, const Shape& picture,
                             const std::string& feature) {
  Graph graph(context);
  ParamStore store(ParamStore::Kind::Frozen);
  const TensorId input = graph.add_input("picture", {picture, DType::F32});
  const TensorId id = build_resnet_upproj(graph, store, input, config, DType::F32, {feature}, "").at(feature);
  graph.keep(id);
  store.allocate();
  load_resnet_upproj(store, config, tensors, "depth.h5");
  Session session(std::move(graph), {});
  fill(session.tensor(input), hash_picture("photo", picture.n, picture.h, picture.w));
  session.forward();
  return to_floats(session.tensor(id));
}

}  // namespace

TEST_CASE("upproj training: layers read only what they declare, and reusing memory changes no bit") {
  Context context(1);
  for (const DType dtype : {DType::F32, DType::BF16})
    for (const auto& network : {kTiny, kTinyStage5}) {
      CAPTURE(name_of(dtype));
      UpprojStepConfig config{.network = network, .picture = {2, 64, 96, 3}, .dtype = dtype};
      config.session.reuse_memory = false;
      const Outcome apart = run(context, config);
      CHECK(std::isfinite(apart.loss));
      CHECK(norm(apart.gradients) > 0);
      config.session.reuse_memory = true;
      CHECK(run(context, config) == apart);
      config.session.poison = true;
      CHECK(run(context, config) == apart);
      config.session.reuse_memory = false;
      CHECK(run(context, config) == apart);
    }
}

TEST_CASE("upproj training: running twice gives the same bits, and moves the statistics on") {
  Context context(2);
  UpprojStep step(context, {.network = kTiny});
  const auto gradients = [&] {
    step.forward();
    step.session().backward();
    return std::vector<float>(step.params().gradients().begin(), step.params().gradients().end());
  };
  const auto first = gradients();
  const std::vector<float> once(step.statistics().values().begin(), step.statistics().values().end());
  CHECK(gradients() == first);
  CHECK(std::vector<float>(step.statistics().values().begin(), step.statistics().values().end()) != once);
}

TEST_CASE("upproj training: a bf16 network predicts in fp32") {
  Context context(1);
  UpprojStep exact(context, {.network = kTiny}), rounded(context, {.network = kTiny, .dtype = DType::BF16});
  exact.forward();
  rounded.forward();
  const TensorView y = rounded.session().tensor(rounded.prediction());
  CHECK(y.dtype == DType::F32);
  CHECK(nmse(to_floats(exact.session().tensor(exact.prediction())), to_floats(y)) <= 1e-2);
}

// Momentum 1 leaves the batch's own statistics in the store, with the unbiased variance; the biased one is
// what normalized. The inference form with these must give the same picture.
TEST_CASE("upproj training: with the batch's statistics the inference form gives the same prediction") {
  Context context(1);
  for (const auto& network : {kTiny, kTinyDecoder, kTinyStage5}) {
    const UpprojStepConfig config{.network = network, .picture = {2, 64, 96, 3}, .momentum = 1};
    UpprojStep step(context, config);
    step.forward();
    for (const auto& node : step.session().graph().nodes()) {
      if (std::string(node.layer->type()) != "batch_norm") continue;
      const Shape s = step.session().graph().shape(node.output);
      const double pixels = double(s.n * s.pixels());
      const int index = step.statistics().add(node.name + ".variance", {1, 1, 1, s.c});
      for (std::int64_t c = 0; c < s.c; ++c) {
        float& variance = step.statistics().value(index)[c];
        variance = float(variance * (pixels - 1) / pixels);
      }
    }
    const auto tensors = resnet_upproj_file_tensors(step.params(), step.statistics(), network);
    CHECK(nmse(to_floats(step.session().tensor(step.prediction())),
               inference(context, network, tensors, config.picture, "prediction")) <= 1e-9);
  }
}

// Central differences along the gradient, in fp32, of a loss without berHu's threshold, which the gradient
// takes for a constant. Seen from the encoder the loss bends sharply (batch norms of a few pixels, ReLUs), so
// the step is small there; every parameter by itself is compared in test_golden_upproj_training.cpp.
TEST_CASE("upproj training: the gradient is the slope of the loss") {
  Context context(1);
  const struct {
    bool decoder;
    double change, tolerance;
  } cases[] = {{true, 2e-4, 0.01}, {false, 2e-5, 0.05}};
  for (const auto& part : cases) {
    CAPTURE(part.decoder);
    UpprojStep step(context, {.network = {.width = 4, .has_stage5 = false},
                              .picture = {2, 64, 96, 3},
                              .loss = UpprojStepConfig::Loss::Mse});
    step.forward();
    const double loss = step.session().loss("depth");
    step.session().backward();
    std::vector<float> gradient(step.params().gradients().size());
    for (const auto& entry : step.params().entries()) {
      const bool decoder = entry.name.starts_with("layer") || entry.name.starts_with("ConvPred");
      if (decoder == part.decoder)
        std::copy_n(step.params().gradients().begin() + entry.offset, entry.shape.count(),
                    gradient.begin() + entry.offset);
    }
    const std::vector<float> start(step.params().values().begin(), step.params().values().end());
    const double squared_norm = norm(gradient) * norm(gradient), h = part.change * loss / squared_norm;
    const auto loss_at = [&](double distance) {
      for (std::size_t i = 0; i < start.size(); ++i)
        step.params().values()[i] = static_cast<float>(start[i] + distance * gradient[i]);
      step.params().values_changed();
      step.forward();
      return step.session().loss("depth");
    };
    const double slope = (loss_at(h) - loss_at(-h)) / (2 * h);
    CHECK(slope == doctest::Approx(squared_norm).epsilon(part.tolerance));
  }
}

TEST_CASE("upproj training: initial values follow He's rule, by seed and name") {
  Context context(1);
  UpprojStep step(context, {.network = kTiny}), same(context, {.network = kTinyStage5});
  initialize_resnet_upproj(step.params(), step.statistics(), kTiny, 7);
  initialize_resnet_upproj(same.params(), same.statistics(), kTinyStage5, 7);
  const auto values = by_name(resnet_upproj_file_tensors(step.params(), step.statistics(), kTiny));
  const auto others = by_name(resnet_upproj_file_tensors(same.params(), same.statistics(), kTinyStage5));
  CHECK(values.at("res4b_branch2b.weight") == others.at("res4b_branch2b.weight"));
  CHECK(values.at("res4b_branch2b.weight") != values.at("res4c_branch2b.weight"));
  CHECK(values.at("bn_conv1.scale") == std::vector<float>(2, 1.f));
  CHECK(values.at("bn_conv1.offset") == std::vector<float>(2, 0.f));
  CHECK(values.at("layer2x_br1_BN.mean") == std::vector<float>(16, 0.f));
  CHECK(values.at("layer2x_br1_BN.variance") == std::vector<float>(16, 1.f));
  CHECK(values.at("ConvPred.bias") == std::vector<float>{2.5f});
  const auto& weight = values.at("layer2x_br2_ConvA.weight");  // (16,3,3,32)
  const double sum = std::accumulate(weight.begin(), weight.end(), 0.0), count = double(weight.size());
  CHECK(std::abs(sum / count) <= 0.005);
  CHECK(norm(weight) * norm(weight) / count == doctest::Approx(2.0 / (9 * 32)).epsilon(0.05));
  initialize_resnet_upproj(step.params(), step.statistics(), kTiny, 8);
  CHECK(by_name(resnet_upproj_file_tensors(step.params(), step.statistics(), kTiny)).at("conv1.weight") !=
        values.at("conv1.weight"));
}

TEST_CASE("upproj training: a file's tensors are complete, in its order, with zero biases") {
  Context context(1);
  UpprojStep step(context, {.network = kTinyStage5});
  const auto tensors = resnet_upproj_file_tensors(step.params(), step.statistics(), kTinyStage5);
  const auto expected = parameters(kTinyStage5);
  REQUIRE(tensors.size() == expected.size());
  std::int64_t kept = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CHECK(tensors[i].name == expected[i].name);
    CHECK(tensors[i].shape == expected[i].shape);
    const bool zero = tensors[i].name.ends_with(".bias") && tensors[i].name != "ConvPred.bias";
    if (!zero) kept += std::ssize(tensors[i].values);
    CHECK((norm(tensors[i].values) == 0) == zero);
  }
  CHECK(kept == step.params().parameter_count() + step.statistics().parameter_count());
}

// An encoder with a bias for every convolution, as Keras has it: what the inference form computes with it is
// what it computes with the tensors that a network started from it gives.
TEST_CASE("upproj training: an encoder is taken over, biases and all") {
  Context context(1);
  for (const auto& network : {kTiny, kTinyStage5}) {
    auto tensors = hash_tensors(parameters(network), kSeedResnet);
    UpprojStep step(context, {.network = network});
    initialize_resnet_upproj(step.params(), step.statistics(), network, 1);
    const auto initial = by_name(resnet_upproj_file_tensors(step.params(), step.statistics(), network));
    // The folded form knows no bias but that of conv1: the others go into the means of what it is given.
    auto given = tensors;
    for (auto& tensor : tensors) {
      if (!tensor.name.starts_with("bn") || !tensor.name.ends_with(".mean") || tensor.name == "bn_conv1.mean")
        continue;
      const std::string name = "res" + tensor.name.substr(2, tensor.name.size() - 7) + ".bias";
      given.push_back({name, tensor.shape, hash_tensor(name, tensor.shape, kSeedResnet)});
      for (std::size_t k = 0; k < tensor.values.size(); ++k) tensor.values[k] -= given.back().values[k];
    }
    load_encoder(step.params(), step.statistics(), network, given, "resnet50.h5");
    const auto loaded = resnet_upproj_file_tensors(step.params(), step.statistics(), network);
    const std::string last = network.has_stage5 ? "res5c" : "res4f";
    CHECK(nmse(inference(context, network, tensors, {1, 64, 64, 3}, last),
               inference(context, network, loaded, {1, 64, 64, 3}, last)) <= 1e-10);
    CHECK(by_name(loaded).at("layer1.weight") == initial.at("layer1.weight"));
    CHECK(by_name(loaded).at("layer1_BN.mean") == initial.at("layer1_BN.mean"));
  }
}

TEST_CASE("upproj training: an encoder without stage 5 leaves that stage as it is; other gaps are errors") {
  Context context(1);
  auto tensors = hash_tensors(parameters(kTiny), kSeedResnet);
  UpprojStep step(context, {.network = kTinyStage5});
  const auto load = [&] {
    return error_of(
        [&] { load_encoder(step.params(), step.statistics(), kTinyStage5, tensors, "resnet50.h5"); });
  };
  initialize_resnet_upproj(step.params(), step.statistics(), kTinyStage5, 1);
  const auto before = by_name(resnet_upproj_file_tensors(step.params(), step.statistics(), kTinyStage5));
  CHECK(load() == "");
  const auto after = by_name(resnet_upproj_file_tensors(step.params(), step.statistics(), kTinyStage5));
  CHECK(after.at("res5b_branch2b.weight") == before.at("res5b_branch2b.weight"));
  CHECK(after.at("res4b_branch2b.weight") != before.at("res4b_branch2b.weight"));
  const auto complete = tensors;
  std::erase_if(tensors, [](const NamedTensor& t) { return t.name == "bn3b_branch2a.variance"; });
  CHECK(load() == "resnet50.h5: tensor 'bn3b_branch2a.variance' of the encoder is missing");
  tensors = complete;
  tensors[0].shape[1] = 5;
  CHECK(load() == "resnet50.h5: tensor 'conv1.weight' has shape (2,5,7,3), expected (2,7,7,3)");
}

TEST_CASE("upproj training: batch norm and depth loss refuse what does not fit") {
  Context context(1);
  Graph graph(context);
  ParamStore params(ParamStore::Kind::Trainable), statistics(ParamStore::Kind::Frozen);
  const auto norm_layer = [&](ParamStore& running, std::int64_t channels) {
    const Shape c{1, 1, 1, channels};
    const std::string name = "bn" + std::to_string(channels);
    return std::make_unique<BatchNormLayer>(
        add_param(params, name + ".scale", c), add_param(params, name + ".offset", c),
        add_param(running, name + ".mean", c), add_param(running, name + ".variance", c), BatchNormOptions{});
  };
  const TensorId x = graph.add_input("x", {{2, 4, 4, 3}, DType::F32}),
                 half = graph.add_input("half", {{2, 4, 4, 3}, DType::BF16}),
                 pixel = graph.add_input("pixel", {{1, 1, 1, 3}, DType::F32}),
                 map = graph.add_input("map", {{2, 4, 4, 1}, DType::F32}),
                 half_map = graph.add_input("half map", {{2, 4, 4, 1}, DType::BF16}),
                 small_map = graph.add_input("small map", {{2, 2, 4, 1}, DType::F32});
  CHECK(error_of([&] { graph.add("a", norm_layer(statistics, 4), {x}); }) ==
        "a: batch norm: 'bn4.scale' has 4 values, the input 3 channels");
  CHECK(error_of([&] { graph.add("b", norm_layer(params, 3), {x}); }) ==
        "b: batch norm: the running statistics belong to a frozen store");
  CHECK(error_of([&] { graph.add("c", norm_layer(statistics, 3), {pixel}); }) ==
        "c: batch norm: the input (1,1,1,3) has one pixel, which has no variance: use a larger picture or "
        "batch");
  CHECK(error_of([&] {
          graph.add("d", norm_layer(statistics, 3), {x, half});
        }) == "d: batch norm: residual is bf16 (2,4,4,3), expected fp32 (2,4,4,3)");
  const auto loss = [] { return std::make_unique<DepthLossLayer>(LossOptions{}); };
  CHECK(error_of([&] {
          graph.add_loss("depth", "e", loss(), {map, small_map});
        }) == "e: depth loss: the prediction is (2,4,4,1), the target (2,2,4,1)");
  CHECK(error_of([&] {
          graph.add_loss("depth", "f", loss(), {map, half_map});
        }) == "f: depth loss: the target is bf16, expected fp32");
  CHECK(error_of([&] {
          graph.add_loss("depth", "g", loss(), {x, x});
        }) == "g: depth loss: 3 channels, expected one");
}
