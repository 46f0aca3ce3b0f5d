#include "apps/inspect/network_features.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <set>

#include "apps/common/loss_weights.hpp"
#include "apps/common/model_path.hpp"
#include "apps/training/checkpoint_model.hpp"
#include "apps/training/config.hpp"
#include "engine/session.hpp"
#include "engine/suggest.hpp"
#include "engine/transfer.hpp"
#include "layers/networks/loss_network.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "layers/networks/transform_net/transform_model.hpp"

namespace chiaro {

namespace {

WeightsFile load_weights(const FeatureRequest& request) {
  if (request.net != "transform_net") return load_loss_weights(request.weights, request.net);
  if (request.weights == kRandomWeights)
    throw Error("--weights random: give the file of a transform network");
  return load_style_network(find_model(request.weights, shipped_models()));
}

// The layers by name. A loss network stops at the deepest of them.
std::map<std::string, TensorId> build_loss_network(Graph& graph, LossNetwork& network, TensorId picture,
                                                   DType dtype, const FeatureRequest& request) {
  auto ids = network.build(graph, picture, dtype, request.layers, "");
  for (const auto& [layer, id] : ids) graph.keep(id);
  return ids;
}

std::map<std::string, TensorId> build_transform_layers(Graph& graph, TransformModel& model, TensorId picture,
                                                       DType dtype, const FeatureRequest& request) {
  const TensorId output = build_transform_net(graph, *model.params, picture, model.config, dtype);
  std::map<std::string, TensorId> all;
  std::vector<std::string> names;
  for (const auto& node : graph.nodes()) {
    all[node.name] = node.output;
    names.push_back(node.name);
  }
  all["output"] = output;
  names.push_back("output");
  std::map<std::string, TensorId> wanted;
  for (const auto& layer : request.layers) {
    if (!all.contains(layer)) {
      throw Error("{}: the transform network has no layer '{}'{}; its layers are {}", request.weights, layer,
                  did_you_mean(layer, names), listed(names));
    }
    graph.keep(wanted[layer] = all[layer]);
  }
  return wanted;
}

}  // namespace

void add_feature_options(CLI::App& command, FeatureRequest& request) {
  command.add_option("--net", request.net, "vgg19, vgg16, resnet_upproj or transform_net")
      ->required()
      ->check(CLI::IsMember({"vgg19", "vgg16", "resnet_upproj", "transform_net"}))
      ->type_name("KIND");
  command.add_option("--weights", request.weights, "weights of the network, compact, or random (VGG only)")
      ->required()
      ->type_name("FILE");
  command.add_option("--image", request.image, "picture (JPEG, PNG, BMP); it is not resized")
      ->required()
      ->type_name("FILE");
  command.add_option("--layers", request.layers, "names of layers, separated by commas")
      ->required()
      ->delimiter(',')
      ->type_name("NAME,...");
}

Image read_feature_picture(const FeatureRequest& request) {
  return flatten_alpha(decode_image(request.image));
}

std::vector<Feature> compute_features(Context& context, const FeatureRequest& request, const Image& picture,
                                      DType dtype) {
  Graph graph(context);
  const TensorId input = graph.add_input("picture", {{1, picture.height, picture.width, 3}, DType::F32});
  std::unique_ptr<LossNetwork> network;  // they own the parameters
  TransformModel model;
  std::map<std::string, TensorId> ids;
  if (request.net == "transform_net") {
    model = make_transform_model(load_weights(request), request.weights);
    ids = build_transform_layers(graph, model, input, dtype, request);
  } else {
    network = LossNetwork::load(load_weights(request), request.weights, request.layers);
    ids = build_loss_network(graph, *network, input, dtype, request);
  }
  Session session(std::move(graph), {});
  write_picture(context, session.tensor(input), picture.pixels);
  session.forward();

  std::vector<Feature> features;
  std::set<std::string> seen;
  for (const auto& layer : request.layers) {
    if (!seen.insert(layer).second) continue;
    const TensorView values = session.tensor(ids.at(layer));
    features.push_back({layer, values.shape, read_tensor(context, values)});
  }
  return features;
}

}  // namespace chiaro
