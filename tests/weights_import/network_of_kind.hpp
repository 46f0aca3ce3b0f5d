// Small networks of every kind with values that tell their place, for tests of exports.
#pragma once
#include <string>
#include <vector>

#include "engine/io/weights_file.hpp"
#include "layers/networks/networks.hpp"
#include "tests/support/compare.hpp"

namespace chiaro::test {

// Differs between neighbors and tensors, most values not exact in half precision, all in (-1, 1).
inline float value_at(std::size_t tensor, std::size_t index) {
  return static_cast<float>(static_cast<double>((tensor * 7919 + index * 104729) % 199999) / 100000.0 -
                            0.99999);
}

// All tensors of the architecture.
inline WeightsFile network_of_kind(const std::string& kind, const std::string& architecture) {
  WeightsFile weights{.kind = kind,
                      .architecture = architecture,
                      .preprocess = to_json(Preprocess{}),
                      .provenance = R"({"source":"test","note":"\u2713"})"};
  if (kind.starts_with("vgg"))
    weights.preprocess = to_json(Preprocess{{123.68, 116.779, 103.939}, {1, 1, 1}, "caffe"});
  for (const ParameterShape& parameter : parameters(describe(weights, "test")))
    weights.parameters.push_back({parameter.name, parameter.shape, {}});
  for (std::size_t t = 0; t < weights.parameters.size(); ++t) {
    std::size_t count = 1;
    for (const std::int64_t extent : weights.parameters[t].shape) count *= static_cast<std::size_t>(extent);
    for (std::size_t i = 0; i < count; ++i) weights.parameters[t].values.push_back(value_at(t, i));
  }
  return weights;
}

}  // namespace chiaro::test
