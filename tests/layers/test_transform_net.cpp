// The transform network as a description: parameters, JSON, initial values, sizes. Its values are compared
// with PyTorch's in test_golden_networks.cpp.
#include "layers/networks/transform_net/transform_graph.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/session.hpp"
#include "tests/support/compare.hpp"

using namespace chiaro;
using test::contains;
using test::error_of;

namespace {

constexpr const char* kArchitecture =
    R"({"width":32,"residual_blocks":5,"upsample":"nearest","padding":"reflect","norm_eps":1e-5,"output":"linear"})";

std::unique_ptr<ParamStore> initialized(const TransformNet& config, std::uint64_t seed) {
  auto store = std::make_unique<ParamStore>(ParamStore::Kind::Frozen);
  declare_transform_net(*store, config);
  store->allocate();
  initialize_transform_net(*store, config, seed);
  return store;
}

std::vector<float> values_of(const ParamStore& store, const std::string& name) {
  const auto* entry = store.find(name);
  REQUIRE(entry != nullptr);
  const auto values = store.values().subspan(static_cast<std::size_t>(entry->offset),
                                             static_cast<std::size_t>(entry->shape.count()));
  return {values.begin(), values.end()};
}

std::vector<float> all_values(const ParamStore& store) {
  return {store.values().begin(), store.values().end()};
}

// The message for an architecture in which one piece of text is replaced.
std::string error_with(const std::string& from, const std::string& to) {
  std::string text = kArchitecture;
  const auto at = text.find(from);
  REQUIRE(at != text.npos);
  text.replace(at, from.size(), to);
  return error_of([&] { transform_net_from_json(text, "model.h5"); });
}

}  // namespace

TEST_CASE("transform_net: the full network has PyTorch's parameters but for the canceled biases") {
  ParamStore nearest(ParamStore::Kind::Frozen), transposed(ParamStore::Kind::Frozen);
  declare_transform_net(nearest, {});
  // pytorch/examples' TransformerNet has 1,679,235; 1,600 of them are biases before instance norms.
  CHECK(nearest.parameter_count() == 1'679'235 - 1'600);
  declare_transform_net(transposed, {.upsample = Upsample::Transposed});
  CHECK(transposed.parameter_count() == nearest.parameter_count());
  CHECK(nearest.find("up1.weight")->shape == Shape{64, 3, 3, 128});
  CHECK(transposed.find("up1.weight")->shape == Shape{128, 3, 3, 64});
  CHECK(nearest.find("out.bias")->shape == Shape{1, 1, 1, 3});
  CHECK(nearest.find("conv1.bias") == nullptr);
}

TEST_CASE("transform_net: parameters are named in the order of the network") {
  ParamStore store(ParamStore::Kind::Frozen);
  declare_transform_net(store, {.width = 4, .residual_blocks = 1});
  std::vector<std::string> names;
  for (const auto& entry : store.entries()) names.push_back(entry.name);
  const std::vector<std::string> expected{
      "conv1.weight",     "norm1.gamma",     "norm1.beta",        "conv2.weight",     "norm2.gamma",
      "norm2.beta",       "conv3.weight",    "norm3.gamma",       "norm3.beta",       "res1.conv1.weight",
      "res1.norm1.gamma", "res1.norm1.beta", "res1.conv2.weight", "res1.norm2.gamma", "res1.norm2.beta",
      "up1.weight",       "norm4.gamma",     "norm4.beta",        "up2.weight",       "norm5.gamma",
      "norm5.beta",       "out.weight",      "out.bias"};
  CHECK(names == expected);
}

TEST_CASE("transform_net: the architecture survives JSON") {
  const TransformNet configs[] = {
      {},
      {.width = 7, .residual_blocks = 0, .upsample = Upsample::Transposed},
      {.padding = Padding::Zero, .norm_eps = 1.234567e-3, .output = OutputRange::Tanh150}};
  for (const auto& config : configs) CHECK(transform_net_from_json(to_json(config), "model.h5") == config);
  CHECK(transform_net_from_json(kArchitecture, "model.h5") == TransformNet{});
}

TEST_CASE("transform_net: unusable architectures are refused with their reason") {
  CHECK(error_with(R"("width":32)", R"("width":4.5)") ==
        "model.h5: the architecture of the transform network is not usable: 'width' is 4.5, expected an "
        "integer between 1 and 1024");
  CHECK(contains(error_with(R"("width":32)", R"("width":true)"), "'width' is true, expected an integer"));
  CHECK(contains(error_with(R"("width":32)", R"("width":"32")"), "'width' is \"32\", expected an integer"));
  CHECK(contains(error_with(R"("width":32)", R"("width":1e300)"), "expected an integer"));
  CHECK(contains(error_with(R"("width":32)", R"("width":0)"),
                 "'width' is 0, expected an integer between 1 and 1024"));
  CHECK(contains(error_with(R"("width":32)", R"("width":-1)"),
                 "'width' is -1, expected an integer between 1 and 1024"));
  CHECK(contains(error_with(R"("width":32)", R"("width":1000000)"),
                 "'width' is 1000000, expected an integer between 1 and 1024"));
  CHECK(contains(error_with(R"("width":32)", R"("width":18446744073709551615)"),
                 "expected an integer between 1 and 1024"));
  CHECK(contains(error_with(R"("residual_blocks":5)", R"("residual_blocks":1000000000)"),
                 "'residual_blocks' is 1000000000, expected an integer between 0 and 100"));
  CHECK(contains(error_with("nearest", "bicubic"),
                 R"('upsample' is "bicubic", expected "nearest" or "transposed")"));
  CHECK(contains(error_with("reflect", "same"), R"('padding' is "same", expected "reflect" or "zero")"));
  CHECK(
      contains(error_with("linear", "sigmoid"), R"('output' is "sigmoid", expected "linear" or "tanh150")"));
  CHECK(contains(error_with("1e-5", "0"), "norm_eps 0 is not between 0 and 1"));
  CHECK(contains(error_with("1e-5", "null"), "model.h5: the architecture of the transform network"));
  CHECK(contains(error_with(R"("width":32,)", ""), "'width' not found"));
  CHECK(contains(error_with(R"("width")", R"("groups":2,"width")"), "unknown key 'groups'"));
  for (const char* text : {"", "null", "[]", "{", "7", "{\"width\":32", "\"\\ud800\""}) {
    CAPTURE(text);
    CHECK(contains(error_of([&] { transform_net_from_json(text, "model.h5"); }),
                   "model.h5: the architecture of the transform network is not usable: "));
  }
}

TEST_CASE("transform_net: weights start uniform, as PyTorch's convolutions do") {
  const auto store = initialized({}, 7);
  for (const auto& entry : store->entries()) {
    CAPTURE(entry.name);
    const auto values = values_of(*store, entry.name);
    if (entry.name.ends_with(".gamma")) {
      CHECK(std::count(values.begin(), values.end(), 1.f) == std::ssize(values));
    } else if (entry.name.ends_with(".beta")) {
      CHECK(std::count(values.begin(), values.end(), 0.f) == std::ssize(values));
    } else if (entry.name == "out.bias") {
      CHECK(values == std::vector<float>(3, 127.5f));
    } else {
      const Shape& s = entry.shape;
      const double bound = 1 / std::sqrt(static_cast<double>(s.h * s.w * s.c));
      const double count = static_cast<double>(values.size());
      double mean = 0, square = 0;
      for (const double v : values) {
        mean += v / count;
        square += v * v / count;
      }
      const auto [least, most] = std::minmax_element(values.begin(), values.end());
      CHECK(*least >= -bound);
      CHECK(*most <= bound);
      CHECK(*least < -0.99 * bound);
      CHECK(*most > 0.99 * bound);
      // Five standard deviations of the mean and of the mean square of `count` uniform values.
      CHECK(std::abs(mean) < 5 * bound / std::sqrt(3 * count));
      CHECK(std::abs(square / (bound * bound) - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / count));
    }
  }
  CHECK(values_of(*initialized({.output = OutputRange::Tanh150}, 7), "out.bias") ==
        std::vector<float>(3, 0.f));
}

TEST_CASE("transform_net: initial values depend on the seed and the names only") {
  const TransformNet small{.width = 8, .residual_blocks = 2}, more{.width = 8, .residual_blocks = 3};
  const auto store = initialized(small, 7);
  CHECK(all_values(*store) == all_values(*initialized(small, 7)));
  CHECK(all_values(*store) != all_values(*initialized(small, 8)));
  const auto larger = initialized(more, 7);
  for (const auto& entry : store->entries())
    CHECK(values_of(*store, entry.name) == values_of(*larger, entry.name));
  CHECK(values_of(*store, "res1.conv1.weight") != values_of(*store, "res2.conv1.weight"));
}

TEST_CASE("transform_net: the result has the size of the picture") {
  Context context;
  for (const Upsample upsample : {Upsample::Nearest, Upsample::Transposed})
    for (std::int64_t height = 16; height <= 37; ++height) {
      const std::int64_t width = 16 + (height * 7) % 26;  // up to 41
      Graph graph(context);
      ParamStore store(ParamStore::Kind::Frozen);
      const Shape picture{1, height, width, 3};
      const TensorId input = graph.add_input("picture", {picture, DType::F32});
      const TensorId output = build_transform_net(
          graph, store, input, {.width = 2, .residual_blocks = 1, .upsample = upsample}, DType::F32);
      CHECK(graph.shape(output) == picture);
      CHECK(graph.tensor(output).spec.dtype == DType::F32);
    }
}

TEST_CASE("transform_net: pictures that are too small are refused") {
  Context context;
  const auto error_for = [&](Shape picture) {
    Graph graph(context);
    ParamStore store(ParamStore::Kind::Frozen);
    const TensorId input = graph.add_input("picture", {picture, DType::F32});
    return error_of([&] { build_transform_net(graph, store, input, {.width = 2}, DType::F32); });
  };
  CHECK(error_for({1, 15, 64, 3}) ==
        "transform network: picture (1,15,64,3), expected 3 channels and at least 16x16 pixels");
  CHECK(contains(error_for({1, 64, 15, 3}), "picture (1,64,15,3)"));
  CHECK(contains(error_for({1, 64, 64, 4}), "expected 3 channels"));
  CHECK(error_for({1, 16, 16, 3}) == "");
}
