// Networks with hashed parameters, and comparisons with the golden files of tests/golden.
//
// The tests run in the folder tests/. Distances are NMSE = ||a - b||^2 / ||a||^2, a the golden float64
// result.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/io/h5_file.hpp"
#include "engine/session.hpp"
#include "layers/networks/loss_network.hpp"
#include "layers/networks/resnet_upproj/upproj_graph.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "layers/networks/vgg/vgg.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/hash_weights.hpp"

namespace chiaro::test {

inline H5Reader golden(const std::string& name) {
  return H5Reader("golden/" + name + ".h5");
}

inline std::vector<float> to_floats(const ConstTensorView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.shape.count()));
  visit_dtype(view.dtype, [&](auto zero) {
    const auto* first = view.as<decltype(zero)>();
    std::transform(first, first + view.shape.count(), values.begin(), [](auto v) { return float(v); });
  });
  return values;
}

inline void fill(const TensorView& view, const std::vector<float>& values) {
  REQUIRE(view.bytes() == std::ssize(values) * 4);
  std::memcpy(view.data, values.data(), static_cast<std::size_t>(view.bytes()));
}

inline double norm(std::span<const float> values) {
  double sum = 0;
  for (const float v : values) sum += double(v) * double(v);
  return std::sqrt(sum);
}

// The parameters that a file would hold, by the rule of the golden files.
inline std::vector<NamedTensor> hash_tensors(std::vector<ParameterShape> shapes, std::uint32_t seed,
                                             HashRuleFunction rule = hash_rule) {
  std::vector<NamedTensor> tensors;
  for (auto& [name, shape] : shapes) tensors.push_back({name, shape, hash_tensor(name, shape, seed, rule)});
  return tensors;
}

// Allocates the store and gives every parameter its hashed values.
inline void allocate_hashed(ParamStore& store, std::uint32_t seed, HashRuleFunction rule = hash_rule) {
  store.allocate();
  for (int i = 0; i < static_cast<int>(store.entries().size()); ++i) {
    const auto& [name, s, offset] = store.entries()[static_cast<std::size_t>(i)];
    const bool vector = s.n == 1 && s.h == 1 && s.w == 1;
    const auto shape = vector ? std::vector{s.c} : std::vector{s.n, s.h, s.w, s.c};
    const auto values = hash_tensor(name, shape, seed, rule);
    std::copy(values.begin(), values.end(), store.value(i));
  }
  store.values_changed();
}

inline WeightsFile hash_vgg(int depth, int width, HashRuleFunction rule = hash_rule) {
  return {.kind = "vgg" + std::to_string(depth),
          .architecture = fmt::format(R"({{"width":{}}})", width),
          .preprocess = to_json(Preprocess{.mean = {123.68, 116.779, 103.939}}),
          .parameters = hash_tensors(parameters(Vgg{.depth = depth, .width = width}), kSeedVgg, rule)};
}

inline WeightsFile hash_resnet_upproj(const ResnetUpproj& config, HashRuleFunction rule = hash_rule) {
  const bool nyu = config.padding == ResnetUpproj::Side::Nyu;
  return {.kind = "resnet_upproj",
          .architecture = fmt::format(R"({{"width":{},"encoder":"{}","padding":"{}"}})", config.width,
                                      config.has_stage5 ? "resnet50" : "resnet50-c4", nyu ? "nyu" : "make3d"),
          .preprocess = to_json(Preprocess{}),
          .parameters = hash_tensors(parameters(config), kSeedResnet, rule)};
}

// The features of a loss network on the golden picture "photo".
struct FeatureRun {
  FeatureRun(Context& context, const WeightsFile& weights, const std::vector<std::string>& features,
             Shape picture, DType dtype = DType::F32)
      : network(LossNetwork::load(weights, weights.kind, features)) {
    Graph graph(context);
    const TensorId input = graph.add_input("photo", {picture, DType::F32});
    ids = network->build(graph, input, dtype, features, "");
    for (const auto& [name, id] : ids) graph.keep(id);
    session = std::make_unique<Session>(std::move(graph), SessionOptions{});
    fill(session->tensor(input), hash_picture("photo", picture.n, picture.h, picture.w));
    session->forward();
  }
  ConstTensorView operator[](const std::string& feature) const { return session->tensor(ids.at(feature)); }

  std::unique_ptr<LossNetwork> network;
  std::map<std::string, TensorId> ids;
  std::unique_ptr<Session> session;
};

// Compares with a sampled tensor of a golden file: the samples by their NMSE; the norm and the mean of all
// values by how far a tensor within that NMSE can be from them.
inline void check_sampled(const H5Reader& file, const std::string& group, const ConstTensorView& found,
                          double largest_nmse) {
  CAPTURE(group);
  const auto shape = file.integers(group + "/shape");
  const Shape& s = found.shape;
  // A Gram matrix has three extents in the file.
  const std::vector<std::int64_t> found_shape =
      shape.size() == 3 ? std::vector{s.n, s.h, s.w} : std::vector{s.n, s.h, s.w, s.c};
  REQUIRE(found_shape == shape);
  const auto values = to_floats(found);
  std::vector<float> samples;
  for (const auto i : file.integers(group + "/indices"))
    samples.push_back(values[static_cast<std::size_t>(i)]);
  const double error = nmse(file.floats(group + "/samples"), samples);
  CAPTURE(error);
  CAPTURE(largest_nmse);
  CHECK(error <= largest_nmse);

  const std::vector<std::int64_t> two{2};
  const auto stats = file.doubles(group + "/stats", two);
  double sum = 0;
  for (const float v : values) sum += v;
  const double count = static_cast<double>(values.size()), distance = std::sqrt(largest_nmse) * stats[1];
  CHECK(std::abs(norm(values) - stats[1]) <= distance);
  CHECK(std::abs(sum / count - stats[0]) <= distance / std::sqrt(count));
}

inline double fp32_nmse(const H5Reader& file, const std::string& group) {
  return file.floats(group + "/fp32_nmse").at(0);
}

}  // namespace chiaro::test
