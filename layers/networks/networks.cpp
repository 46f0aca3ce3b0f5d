#include "layers/networks/networks.hpp"

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

Network describe_transform_net(const WeightsFile& weights, const std::string& file) {
  return transform_net_from_json(weights.architecture, file);
}
Network describe_vgg(const WeightsFile& weights, const std::string& file) {
  return vgg_of(weights, file);
}
Network describe_resnet_upproj(const WeightsFile& weights, const std::string& file) {
  return resnet_upproj_of(weights, file);
}

}  // namespace

const std::vector<NetworkKind>& network_kinds() {
  static const std::vector<NetworkKind> kinds{
      {"transform_net", false, describe_transform_net},
      {"vgg19", true, describe_vgg},
      {"vgg16", true, describe_vgg},
      {"resnet_upproj", true, describe_resnet_upproj},
  };
  return kinds;
}

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  for (const NetworkKind& kind : network_kinds()) names.emplace_back(kind.name);
  return names;
}

std::vector<std::string> loss_network_names() {
  std::vector<std::string> names;
  for (const NetworkKind& kind : network_kinds())
    if (kind.is_loss_network) names.emplace_back(kind.name);
  return names;
}

const NetworkKind& network_kind(std::string_view name, const std::string& file) {
  for (const NetworkKind& kind : network_kinds())
    if (kind.name == name) return kind;
  throw Error("{}: unknown kind of network '{}', expected {}", file, name, listed(network_names()));
}

Network describe(const WeightsFile& weights, const std::string& file) {
  return network_kind(weights.kind, file).describe(weights, file);
}

std::vector<std::string> feature_names(const Network& network) {
  if (const auto* vgg = std::get_if<Vgg>(&network)) return feature_names(*vgg);
  if (const auto* depth = std::get_if<ResnetUpproj>(&network)) return feature_names(*depth);
  return {};
}

std::vector<ParameterShape> parameters(const Network& network) {
  return std::visit([](const auto& one) { return parameters(one); }, network);
}

std::vector<TensorMapping> state_dict(const Network& network) {
  return std::visit([](const auto& one) { return state_dict(one); }, network);
}

}  // namespace chiaro
