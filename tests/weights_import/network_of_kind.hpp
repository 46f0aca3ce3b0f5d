// Small networks of every kind with values that tell their place, for tests of exports.
#pragma once
#include <string>
#include <vector>

#include "engine/io/weights_file.hpp"
#include "tests/support/compare.hpp"
#include "weights_import/state_dict_names.hpp"

namespace chiaro::test {

// Differs between neighbors and tensors, most values not exact in half precision, all in (-1, 1).
inline float value_at(std::size_t tensor, std::size_t index) {
  return static_cast<float>(static_cast<double>((tensor * 7919 + index * 104729) % 199999) / 100000.0 -
                            0.99999);
}

// All tensors of the architecture; a few of a depth network, which has no fixed list.
inline WeightsFile network_of_kind(const std::string& kind, const std::string& architecture) {
  WeightsFile weights{.kind = kind,
                      .architecture = architecture,
                      .preprocess = to_json(Preprocess{}),
                      .provenance = R"({"source":"test","note":"\u2713"})"};
  if (kind == "resnet_upproj") {
    weights.parameters = {{"conv1.weight", {4, 7, 7, 3}, {}},
                          {"conv1.bias", {4}, {}},
                          {"bn_conv1.scale", {4}, {}},
                          {"layer2x_br1_ConvB.weight", {2, 2, 3, 8}, {}}};
  } else {
    if (kind != "transform_net")
      weights.preprocess = to_json(Preprocess{{123.68, 116.779, 103.939}, {1, 1, 1}, "caffe"});
    for (const TensorMapping& mapping : network_mappings(kind, architecture, {}, "test"))
      if (mapping.layout != TensorLayout::Zeros)
        weights.parameters.push_back({mapping.native, mapping.native_shape, {}});
  }
  for (std::size_t t = 0; t < weights.parameters.size(); ++t) {
    std::size_t count = 1;
    for (const std::int64_t extent : weights.parameters[t].shape) count *= static_cast<std::size_t>(extent);
    for (std::size_t i = 0; i < count; ++i) weights.parameters[t].values.push_back(value_at(t, i));
  }
  return weights;
}

}  // namespace chiaro::test
