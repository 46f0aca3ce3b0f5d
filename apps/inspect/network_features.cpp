#include "apps/inspect/network_features.hpp"

#include <algorithm>
#include <set>

#include "engine/config/config.hpp"
#include "engine/session.hpp"
#include "kernels/picture/picture.hpp"
#include "layers/nets/loss_network.hpp"
#include "weights_import/random_vgg.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {

namespace {

WeightsFile load_weights(const FeatureRequest& request) {
  if (request.weights != kRandomWeights) return load_network(request.weights, request.net);
  if (request.net == "resnet_upproj")
    throw Error("--weights random: random filters see no depth; give the file of a trained resnet_upproj");
  constexpr std::uint64_t kSeed = 1;
  return random_vgg(request.net == "vgg16" ? 16 : 19, 64, kSeed);
}

std::vector<float> to_floats(ConstTensorView x) {
  std::vector<float> values(static_cast<std::size_t>(x.shape.count()));
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    std::copy_n(x.as<T>(), values.size(), values.begin());
  });
  return values;
}

}  // namespace

void add_feature_options(CLI::App& command, FeatureRequest& request) {
  command.add_option("--net", request.net, "vgg19, vgg16 or resnet_upproj")
      ->required()
      ->check(CLI::IsMember({"vgg19", "vgg16", "resnet_upproj"}))
      ->type_name("KIND");
  command.add_option("--weights", request.weights, "weights of the network, or random (VGG only)")
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
  const auto network = LossNetwork::load(load_weights(request), request.weights, request.layers);
  Graph graph(context);
  const TensorId input = graph.add_input("picture", {{1, picture.height, picture.width, 3}, DType::F32});
  const auto ids = network->build(graph, input, dtype, request.layers, "");
  for (const auto& [layer, id] : ids) graph.keep(id);
  Session session(std::move(graph), {});
  picture::to_tensor(context, picture.pixels.data(), session.tensor(input));
  session.forward();

  std::vector<Feature> features;
  std::set<std::string> seen;
  for (const auto& layer : request.layers) {
    if (!seen.insert(layer).second) continue;
    const TensorView values = session.tensor(ids.at(layer));
    features.push_back({layer, values.shape, to_floats(values)});
  }
  return features;
}

}  // namespace chiaro
