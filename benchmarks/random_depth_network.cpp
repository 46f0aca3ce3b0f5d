#include "benchmarks/random_depth_network.hpp"

#include <cmath>

#include "engine/rng.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/resnet_upproj/upproj_graph.hpp"

namespace chiaro::bench {

namespace {

std::int64_t count_of(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

// What a parameter that is no filter is filled with.
float constant_of(const std::string& name) {
  if (name == "bn_conv1.variance") return 1e4f;         // of filters that see pixels
  if (name.ends_with("_branch2c.scale")) return 0.25f;  // sums of 16 blocks shall not grow
  if (name == "ConvPred.bias") return 2;                // meters: the ReLU behind it stays open
  return name.ends_with(".scale") || name.ends_with(".variance") ? 1.f : 0.f;
}

NamedTensor random_tensor(const ParameterShape& parameter, std::uint32_t stream) {
  NamedTensor tensor{parameter.name, parameter.shape, {}};
  const auto count = static_cast<std::size_t>(count_of(parameter.shape));
  if (!parameter.name.ends_with(".weight")) {
    tensor.values.assign(count, constant_of(parameter.name));
    return tensor;
  }
  const auto fan_in = static_cast<float>(count_of(parameter.shape) / parameter.shape[0]);
  const float amplitude = std::sqrt(6 / fan_in);
  const Rng rng(1, stream);
  tensor.values.reserve(count + 3);
  for (std::uint64_t block = 0; tensor.values.size() < count; ++block)
    for (const std::uint32_t bits : rng(block))
      tensor.values.push_back(amplitude * (static_cast<float>(bits >> 8) * 0x1p-23f - 1));
  tensor.values.resize(count);
  return tensor;
}

}  // namespace

WeightsFile random_depth_network() {
  WeightsFile weights{.kind = "resnet_upproj"};
  weights.preprocess = to_json(Preprocess{{123.68, 116.779, 103.939}, {1, 1, 1}, "caffe"});
  weights.provenance = R"({"source":"random","note":"not trained on anything: for benchmarks"})";
  std::uint32_t stream = 0;
  for (const ParameterShape& parameter : parameters({}))
    weights.parameters.push_back(random_tensor(parameter, stream++));
  return weights;
}

}  // namespace chiaro::bench
