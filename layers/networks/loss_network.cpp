#include "layers/networks/loss_network.hpp"

#include "engine/param_io.hpp"
#include "engine/suggest.hpp"
#include "layers/networks/networks.hpp"
#include "layers/networks/resnet_upproj/upproj_graph.hpp"
#include "layers/networks/vgg/vgg_graph.hpp"

namespace chiaro {

namespace {

using Features = std::vector<std::string>;
using Tensors = std::map<std::string, TensorId>;

class VggLossNetwork : public LossNetwork {
 public:
  explicit VggLossNetwork(Vgg network) : network_(std::move(network)) {}
  VggLossNetwork(Vgg network, const WeightsFile& weights, const std::string& file, const Features& features)
      : network_(std::move(network)) {
    for (const VggConvolution& conv : convolutions_for(network_, features))
      for (const ParameterShape& parameter : conv.parameters()) declare(store_, parameter);
    store_.allocate();
    load_parameters(store_, weights.parameters, file);
  }

  Tensors build(Graph& graph, TensorId picture, DType dtype, const Features& features,
                const std::string& prefix) override {
    return build_vgg(graph, store_, picture, network_, dtype, features, prefix);
  }

 private:
  Vgg network_;
};

class DepthLossNetwork : public LossNetwork {
 public:
  explicit DepthLossNetwork(ResnetUpproj network) : network_(std::move(network)) {}
  DepthLossNetwork(ResnetUpproj network, const WeightsFile& weights, const std::string& file,
                   const Features& features)
      : network_(std::move(network)) {
    declare_resnet_upproj(store_, network_, features);
    store_.allocate();
    load_resnet_upproj(store_, network_, weights.parameters, file);
  }

  Tensors build(Graph& graph, TensorId picture, DType dtype, const Features& features,
                const std::string& prefix) override {
    return build_resnet_upproj(graph, store_, picture, network_, dtype, features, prefix);
  }

 private:
  ResnetUpproj network_;
};

struct Loader {
  const WeightsFile& weights;
  const std::string& file;
  const Features& features;

  std::unique_ptr<LossNetwork> operator()(const Vgg& network) const {
    return std::make_unique<VggLossNetwork>(network, weights, file, features);
  }
  std::unique_ptr<LossNetwork> operator()(const ResnetUpproj& network) const {
    return std::make_unique<DepthLossNetwork>(network, weights, file, features);
  }
  std::unique_ptr<LossNetwork> operator()(const TransformNet&) const {
    throw Error("{}: holds a {}, expected a loss network ({})", file, weights.kind,
                listed(loss_network_names()));
  }
};

}  // namespace

std::unique_ptr<LossNetwork> LossNetwork::load(const WeightsFile& weights, const std::string& file,
                                               const std::vector<std::string>& features) {
  if (!network_kind(weights.kind, file).is_loss_network)
    return Loader{weights, file, features}(TransformNet{});
  return std::visit(Loader{weights, file, features}, describe(weights, file));
}

std::unique_ptr<LossNetwork> LossNetwork::declared(const std::string& kind) {
  const WeightsFile published{.kind = kind, .preprocess = to_json(Preprocess{})};
  const Network network = describe(published, kind);
  if (const auto* vgg = std::get_if<Vgg>(&network)) return std::make_unique<VggLossNetwork>(*vgg);
  return std::make_unique<DepthLossNetwork>(std::get<ResnetUpproj>(network));
}

}  // namespace chiaro
