#include "layers/networks/vgg/vgg.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "layers/networks/feature_names.hpp"

namespace chiaro {

std::string vgg_name(const Vgg& network) {
  return "VGG-" + std::to_string(network.depth);
}

namespace {

std::vector<VggConvolution> all_convolutions(const Vgg& network) {
  require(network.depth == 16 || network.depth == 19, "VGG: depth {}, expected 16 or 19", network.depth);
  require(network.width > 0, "{}: width {}, expected at least 1", vgg_name(network), network.width);
  const int late = network.depth == 19 ? 4 : 3;
  const int in_block[kVggBlocks] = {2, 2, late, late, late};
  std::vector<VggConvolution> list;
  std::int64_t in = 3;
  for (int block = 1; block <= kVggBlocks; ++block)
    for (int index = 1; index <= in_block[block - 1]; ++index) {
      const std::int64_t out = network.width << std::min(block - 1, 3);
      list.push_back({block, index, in, out, 0, index == in_block[block - 1]});
      const auto rank = network.ranks.find(list.back().name());
      if (rank != network.ranks.end()) list.back().rank = rank->second;
      in = out;
    }
  for (const auto& entry : network.ranks)
    require(std::ranges::any_of(list, [&](const auto& conv) { return conv.name() == entry.first; }),
            "{}: a rank of '{}', which is no convolution of it", vgg_name(network), entry.first);
  return list;
}

std::vector<std::string> names_of(const std::vector<VggConvolution>& list) {
  std::vector<std::string> names;
  for (const VggConvolution& conv : list) {
    names.insert(names.end(), {conv.name(), conv.relu()});
    if (conv.ends_block) names.push_back(conv.pool());
  }
  return names;
}

}  // namespace

std::string deepest_vgg_feature(const Vgg& network, const std::vector<std::string>& features) {
  const auto names = names_of(all_convolutions(network));
  return names[deepest_feature(vgg_name(network), names, features)];
}

std::vector<ParameterShape> VggConvolution::parameters() const {
  std::vector<ParameterShape> list;
  if (rank > 0) list.push_back({name() + ".reduce.weight", {rank, 3, 3, in_channels}});
  list.push_back({name() + ".weight", rank > 0 ? std::vector<std::int64_t>{out_channels, 1, 1, rank}
                                               : std::vector<std::int64_t>{out_channels, 3, 3, in_channels}});
  list.push_back({name() + ".bias", {out_channels}});
  return list;
}

std::vector<VggConvolution> convolutions(const Vgg& network) {
  if (network.last_conv.empty()) return all_convolutions(network);
  return convolutions_for(network, {network.last_conv});
}

std::vector<VggConvolution> convolutions_for(const Vgg& network, const std::vector<std::string>& features) {
  std::vector<VggConvolution> list = all_convolutions(network);
  const std::string deepest = deepest_vgg_feature(network, features);
  const auto makes = [&](const VggConvolution& conv) {
    return deepest == conv.name() || deepest == conv.relu() || deepest == conv.pool();
  };
  // A pooling belongs to the last convolution of its block.
  const auto last = std::find_if(list.rbegin(), list.rend(), makes);
  list.erase(last.base(), list.end());
  return list;
}

std::vector<std::string> feature_names(const Vgg& network) {
  return names_of(convolutions(network));
}

std::vector<ParameterShape> parameters(const Vgg& network) {
  std::vector<ParameterShape> list;
  for (const VggConvolution& conv : convolutions(network))
    for (ParameterShape& parameter : conv.parameters()) list.push_back(std::move(parameter));
  return list;
}

std::vector<TensorMapping> state_dict(const Vgg& network) {
  std::vector<TensorMapping> list;
  int index = 0;  // of convolutions, ReLUs and poolings, counted as torchvision does
  for (const VggConvolution& conv : convolutions(network)) {
    for (const ParameterShape& parameter : conv.parameters()) {
      TensorMapping mapping = same_name_mapping(parameter);
      mapping.foreign = fmt::format("features.{}{}", index, parameter.name.substr(conv.name().size()));
      list.push_back(std::move(mapping));
    }
    index += conv.ends_block ? 3 : 2;
  }
  return list;
}

std::string to_json(const Vgg& network) {
  nlohmann::ordered_json json{{"depth", network.depth}, {"width", network.width}};
  if (!network.last_conv.empty()) json["last_conv"] = network.last_conv;
  if (!network.ranks.empty()) json["ranks"] = network.ranks;
  return json.dump();
}

Vgg vgg_of(const WeightsFile& weights, const std::string& file) {
  Vgg network{.depth = weights.kind == "vgg16" ? 16 : 19};
  parse_architecture(
      weights.architecture, file, (weights.kind + " network").c_str(), [&](const nlohmann::json& json) {
        require(
            !json.contains("heads"),
            "it is a narrow network that imitates a VGG, which older versions of chiaro made; give the VGG itself, or "
            "\"compact\"");
        network.width = parse_integer(json, "width", {1, 1024}, 64);
        network.last_conv = json.value("last_conv", std::string());
        const nlohmann::json ranks = json.value("ranks", nlohmann::json::object());
        require(ranks.is_object(), "'ranks' is {}, expected an object", ranks.dump());
        for (const auto& [name, rank] : ranks.items())
          network.ranks[name] = parse_integer(ranks, name.c_str(), {1, 4096});
        convolutions(network);  // finds what is no convolution
      });
  network.preprocess = parse_preprocess(weights.preprocess, file);
  return network;
}

}  // namespace chiaro
