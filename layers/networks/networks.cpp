#include "layers/networks/networks.hpp"

#include <algorithm>

#include "engine/param_io.hpp"
#include "engine/suggest.hpp"
#include "layers/networks/resnet_upproj/upproj_graph.hpp"
#include "layers/networks/transform_net/transform_net.hpp"
#include "layers/networks/vgg/vgg.hpp"

namespace chiaro {

namespace {

class VggLossNetwork : public LossNetwork {
 public:
  explicit VggLossNetwork(Vgg network) : network_(std::move(network)) {}
  VggLossNetwork(const WeightsFile& weights, const std::string& file,
                 const std::vector<std::string>& features)
      : network_(vgg_of(weights, file)) {
    for (const VggConvolution& conv : convolutions_for(network_, features))
      for (const ParameterShape& parameter : conv.parameters()) declare(store_, parameter);
    store_.allocate();
    load_parameters(store_, weights.parameters, file);
  }

  std::map<std::string, TensorId> build(Graph& graph, TensorId picture, DType dtype,
                                        const std::vector<std::string>& features,
                                        const std::string& prefix) override {
    return build_vgg(graph, store_, picture, network_, dtype, features, prefix);
  }

 private:
  Vgg network_;
};

class DepthLossNetwork : public LossNetwork {
 public:
  explicit DepthLossNetwork(ResnetUpproj network) : network_(std::move(network)) {}
  DepthLossNetwork(const WeightsFile& weights, const std::string& file,
                   const std::vector<std::string>& features)
      : network_(resnet_upproj_of(weights, file)) {
    declare_resnet_upproj(store_, network_, features);
    store_.allocate();
    load_resnet_upproj(store_, network_, weights.parameters, file);
  }

  std::map<std::string, TensorId> build(Graph& graph, TensorId picture, DType dtype,
                                        const std::vector<std::string>& features,
                                        const std::string& prefix) override {
    return build_resnet_upproj(graph, store_, picture, network_, dtype, features, prefix);
  }

 private:
  ResnetUpproj network_;
};

// What the rows of the table have in common: `read` makes the network's description of a weights file.
template <auto read>
std::vector<std::string> features_of(const WeightsFile& weights, const std::string& file) {
  return feature_names(read(weights, file));
}
template <auto read>
std::vector<ParameterShape> parameters_of(const WeightsFile& weights, const std::string& file) {
  return parameters(read(weights, file));
}
template <auto read>
std::vector<TensorMapping> state_dict_of(const WeightsFile& weights, const std::string& file) {
  return state_dict(read(weights, file));
}
template <class Network>
std::unique_ptr<LossNetwork> load_as(const WeightsFile& weights, const std::string& file,
                                     const std::vector<std::string>& features) {
  return std::make_unique<Network>(weights, file, features);
}

TransformNet transform_net_of(const WeightsFile& weights, const std::string& file) {
  return transform_net_from_json(weights.architecture, file);
}
std::vector<std::string> no_features(const WeightsFile&, const std::string&) {
  return {};
}

}  // namespace

const std::vector<NetworkKind>& network_kinds() {
  static const std::vector<NetworkKind> kinds{
      {"transform_net", "transform network", false, no_features, parameters_of<transform_net_of>,
       state_dict_of<transform_net_of>, nullptr},
      {"vgg19", "VGG-19", true, features_of<vgg_of>, parameters_of<vgg_of>, state_dict_of<vgg_of>,
       load_as<VggLossNetwork>},
      {"vgg16", "VGG-16", true, features_of<vgg_of>, parameters_of<vgg_of>, state_dict_of<vgg_of>,
       load_as<VggLossNetwork>},
      {"resnet_upproj", "ResNet-UpProj", true, features_of<resnet_upproj_of>, parameters_of<resnet_upproj_of>,
       state_dict_of<resnet_upproj_of>, load_as<DepthLossNetwork>},
  };
  return kinds;
}

const NetworkKind& network_kind(std::string_view name, const std::string& file) {
  for (const NetworkKind& kind : network_kinds())
    if (kind.name == name) return kind;
  throw Error("{}: unknown kind of network '{}', expected {}", file, name, listed(network_names()));
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

std::unique_ptr<LossNetwork> LossNetwork::load(const WeightsFile& weights, const std::string& file,
                                               const std::vector<std::string>& features) {
  const NetworkKind& kind = network_kind(weights.kind, file);
  if (!kind.load)
    throw Error("{}: holds a {}, expected a loss network ({})", file, weights.kind,
                listed(loss_network_names()));
  return kind.load(weights, file, features);
}

std::unique_ptr<LossNetwork> LossNetwork::declared(const std::string& kind) {
  if (kind == "resnet_upproj") return std::make_unique<DepthLossNetwork>(ResnetUpproj{});
  return std::make_unique<VggLossNetwork>(Vgg{.depth = kind == "vgg16" ? 16 : 19});
}

}  // namespace chiaro
