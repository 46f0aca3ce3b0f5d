#include "apps/training/style_graph.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "apps/common/loss_weights.hpp"
#include "engine/image/image.hpp"
#include "kernels/elementwise/image_convert.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {

namespace {

const std::string& weights_of(const WeightsConfig& weights, const std::string& network) {
  return network == "vgg19" ? weights.vgg19 : network == "vgg16" ? weights.vgg16 : weights.resnet_upproj;
}

// Says how to get a loss network's file that is not there.
void require_present(const std::string& path, const std::string& network) {
  if (path == kRandomWeights || std::filesystem::exists(path)) return;
  if (network == "resnet_upproj")
    throw Error(
        "{}: the depth network's weights are missing; give NYU_ResNet-UpProj.npy or .mat as downloaded, "
        "a network of your own (task = \"depth\" trains one), or \"compact\" for the small one that comes "
        "with chiaro, as weights.resnet_upproj, or train without depth: --set loss.depth.weight=0",
        path);
  throw Error(
      "{}: the {} weights are missing; give the path of Keras' "
      "{}_weights_tf_dim_ordering_tf_kernels_notop.h5, or of PyTorch's or MatConvNet's file, as weights.{}, "
      "{}\"download\" to fetch Keras' file, or \"random\" for random filters",
      path, network, network, network,
      network == "vgg19" ? "or \"compact\" for the small network that comes with chiaro, " : "");
}

Image load_style_picture(const StyleConfig& config) {
  Image style = flatten_alpha(decode_image(config.image));
  const std::int64_t long_side = std::max(style.height, style.width);
  if (config.size > 0 && config.size != long_side) {
    const auto scaled = [&](std::int64_t side) {
      return std::max<std::int64_t>(1, std::llround(double(side) * double(config.size) / double(long_side)));
    };
    style = resize(style, scaled(style.height), scaled(style.width));
  }
  constexpr std::int64_t kSmallest = 32;
  if (std::min(style.height, style.width) < kSmallest)
    throw Error("{}: the style picture is {}x{} pixels, at least {}x{} are needed", config.image, style.width,
                style.height, kSmallest, kSmallest);
  return style;
}

std::map<std::string, StyleTargets> picture_targets(Context& context, const FeatureTerm& style,
                                                    const StyleConfig& config, DType dtype) {
  const Image picture = load_style_picture(config);
  const Shape shape{1, picture.height, picture.width, 3};
  const Buffer pixels(shape.count() * 4, "style picture");
  const TensorView view{pixels.data(), DType::F32, shape};
  Context host = Context::current();
  image_convert::to_tensor(host, picture.pixels.data(), view);
  return style_targets(context, style, view, dtype);
}

// Of the right size, and not for use.
std::map<std::string, StyleTargets> placeholder_targets(Context& context, const FeatureTerm& style,
                                                        DType dtype) {
  constexpr Shape kSmallPicture{1, 64, 64, 3};
  Graph graph(context);
  const TensorId picture = graph.add_input("style picture", {kSmallPicture, DType::F32});
  std::map<std::string, StyleTargets> targets;
  for (const auto& [layer, id] : style.network->build(graph, picture, dtype, style.layers, "style/")) {
    const std::int64_t channels = graph.shape(id).c;
    targets[layer].grams = Buffer(channels * channels * 4, "style Gram matrix");
  }
  return targets;
}

std::map<std::string, StyleTargets> all_targets(Context& context, const FeatureTerm& style,
                                                const TrainConfig& config, DType dtype,
                                                GraphPurpose purpose) {
  std::vector<std::map<std::string, StyleTargets>> styles;
  std::vector<double> weights;
  for (const StyleConfig& one : config.styles) {
    styles.push_back(purpose == GraphPurpose::Plan ? placeholder_targets(context, style, dtype)
                                                   : picture_targets(context, style, one, dtype));
    weights.push_back(config.styles.size() == 1 ? 1 : one.weight);
  }
  return join_styles(context, std::move(styles), weights);
}

class LossNetworkLoader {
 public:
  LossNetworkLoader(const WeightsConfig& weights, GraphPurpose purpose, StyleGraph& step)
      : weights_(weights), purpose_(purpose), step_(step) {}

  LossNetwork* get(const std::string& name, const std::vector<std::string>& layers) {
    const auto known = std::find_if(step_.loss_networks.begin(), step_.loss_networks.end(),
                                    [&](const auto& entry) { return entry.first == name; });
    if (known != step_.loss_networks.end()) return known->second.get();
    return step_.loss_networks.emplace_back(name, make(name, layers)).second.get();
  }

 private:
  std::unique_ptr<LossNetwork> make(const std::string& name, const std::vector<std::string>& layers) {
    if (purpose_ == GraphPurpose::Plan && weights_of(weights_, name) == kDownloadWeights)
      return LossNetwork::declared(name);
    const std::string path =
        loss_weights_file(weights_of(weights_, name), name, shipped_models(), weights_.base_url);
    const bool random = path == kRandomWeights;
    if (random && name == "resnet_upproj")
      throw Error(
          "weights.resnet_upproj = \"random\": random filters see no depth; set loss.depth.weight = 0");
    if (purpose_ == GraphPurpose::Plan) {
      const bool present = !random && std::filesystem::exists(path);
      if (!random && !present)
        step_.notes.push_back(fmt::format("{}: no such file; planned with {} of standard width", path, name));
      if (!present || !is_native(path)) return LossNetwork::declared(name);
    }
    require_present(path, name);
    auto network = LossNetwork::load(load_loss_weights(path, name), path, layers);
    if (random)
      step_.notes.push_back(fmt::format(
          "{} has seeded random filters: usable for textures, but not the look of real weights", name));
    return network;
  }

  const WeightsConfig& weights_;
  GraphPurpose purpose_;
  StyleGraph& step_;
};

// Every network once, with the layers of all terms that look at it.
StyleObjective make_objective(const TrainConfig& config, GraphPurpose purpose, StyleGraph& step) {
  std::vector<const FeatureLossConfig*> wanted{&config.loss.style};
  for (const FeatureLossConfig& feature : config.loss.features) wanted.push_back(&feature);
  LossNetworkLoader networks(config.weights, purpose, step);
  const auto term_of = [&](const FeatureLossConfig& loss) {
    FeatureTerm term{
        .name = loss.name, .layers = loss.layers, .layer_weights = loss.layer_weights, .weight = loss.weight};
    if (loss.weight == 0) return term;
    std::vector<std::string> layers;
    for (const FeatureLossConfig* other : wanted)
      if (other->weight != 0 && other->net == loss.net)
        layers.insert(layers.end(), other->layers.begin(), other->layers.end());
    term.network = networks.get(loss.net, layers);
    return term;
  };
  StyleObjective objective{.style = term_of(config.loss.style), .reduction = config.loss.style_reduction};
  for (const FeatureLossConfig& feature : config.loss.features)
    objective.features.push_back(term_of(feature));
  for (const PictureLossConfig& picture : config.loss.pictures)
    objective.pictures.push_back({picture.name, picture.weight});
  if (config.styles.size() == 1) objective.style.weight *= config.styles[0].weight;
  return objective;
}

}  // namespace

TransformNet transform_net_config(const TrainConfig& config) {
  TransformNet network = config.model.network;
  for (const StyleConfig& style : config.styles) network.styles.push_back(style_name(style));
  return network;
}

StyleGraph build_style_graph(Context& context, const TrainConfig& config, DType dtype, GraphPurpose purpose) {
  StyleGraph step{.network = transform_net_config(config),
                  .params = std::make_unique<ParamStore>(ParamStore::Kind::Trainable),
                  .graph = Graph(context)};
  StyleObjective objective = make_objective(config, purpose, step);
  if (objective.style.weight != 0)
    objective.style_targets = all_targets(context, objective.style, config, dtype, purpose);

  Graph& graph = step.graph;
  const Shape batch{config.data.batch_size, config.data.image_size, config.data.image_size, 3};
  step.photo = graph.add_input("photo", {batch, DType::F32});
  if (step.network.rows() > 1) {
    step.shares = graph.add_input("shares of the styles",
                                  {{config.data.batch_size, 1, 1, step.network.rows()}, DType::F32});
    objective.shares = step.shares;
  }
  const auto photo_features = add_photo_features(graph, objective, step.photo, dtype);
  step.generated = build_transform_net(graph, *step.params, step.photo, step.network, dtype, step.shares);
  graph.keep(step.generated);
  graph.keep_gradient(step.generated);
  add_objective(graph, objective, step.generated, photo_features, dtype);

  for (const auto& term : graph.loss_terms()) step.terms.push_back({term, objective.weight_of(term)});
  if (std::ranges::all_of(step.terms, [](const TermWeight& term) { return term.name == "range"; }))
    throw Error("every loss weight is 0: there is nothing to train for");
  return step;
}

}  // namespace chiaro
