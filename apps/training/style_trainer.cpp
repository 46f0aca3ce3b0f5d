#include "apps/training/style_trainer.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "engine/param_io.hpp"
#include "kernels/adam/adam.hpp"
#include "kernels/picture/picture.hpp"
#include "weights_import/random_vgg.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {

namespace {

constexpr std::int64_t kRandomVggSeed = 1;

std::string weights_path(const WeightsConfig& weights, const std::string& network) {
  return network == "vgg19" ? weights.vgg19 : network == "vgg16" ? weights.vgg16 : weights.resnet_upproj;
}

// Loads a loss network's file, or says how to get one.
WeightsFile load_loss_weights(const WeightsConfig& weights, const std::string& network) {
  const std::string path = weights_path(weights, network);
  if (path == kRandomWeights) {
    if (network == "resnet_upproj")
      throw Error(
          "weights.resnet_upproj = \"random\": random filters see no depth; set loss.depth.weight = 0");
    return random_vgg(network == "vgg16" ? 16 : 19, 64, kRandomVggSeed);
  }
  if (!std::filesystem::exists(path)) {
    if (network == "resnet_upproj")
      throw Error(
          "{}: the depth network's weights are missing; give the file of a ResNet-UpProj as "
          "weights.resnet_upproj, "
          "train one with task = \"depth\", or train without depth: --set loss.depth.weight=0",
          path);
    throw Error(
        "{}: the {} weights are missing; give the path of Keras' "
        "{}_weights_tf_dim_ordering_tf_kernels_notop.h5 as "
        "weights.{}, or \"random\" for random filters",
        path, network, network, network);
  }
  return load_network(path, network);
}

}  // namespace

TransformNetConfig transform_net_config(const ModelConfig& model) {
  return {.width = model.width,
          .residual_blocks = model.residual_blocks,
          .upsample = model.upsample == "transposed" ? Upsample::Transposed : Upsample::Nearest,
          .padding = model.padding == "zero" ? Padding::Zero : Padding::Reflect,
          .norm_eps = static_cast<float>(model.norm_eps),
          .output = model.output == "tanh150" ? OutputRange::Tanh150 : OutputRange::Linear};
}

StyleTrainer::StyleTrainer(Context& context, const TrainConfig& config, DType dtype,
                           SessionOptions session_options)
    : context_(context),
      dtype_(dtype),
      network_(transform_net_config(config.model)),
      optimizer_(config.optimizer),
      params_(std::make_unique<ParamStore>(ParamStore::Kind::Trainable)) {
  load_loss_networks(config);
  if (objective_.style.weight != 0) {
    const Image style = load_style_picture(config);
    const Shape shape{1, style.height, style.width, 3};
    const Buffer pixels(shape.count() * 4, "style picture");
    const TensorView view{pixels.data(), DType::F32, shape};
    picture::to_tensor(context_, style.pixels.data(), view);
    objective_.style_targets = style_targets(context_, objective_.style, view, dtype_);
  }

  Graph graph(context_);
  const Shape batch{config.data.batch_size, config.data.image_size, config.data.image_size, 3};
  photo_ = graph.add_input("photo", {batch, DType::F32});
  const auto photo_features = add_photo_features(graph, objective_, photo_, dtype_);
  generated_ = build_transform_net(graph, *params_, photo_, network_, dtype_);
  graph.keep(generated_);
  graph.keep_gradient(generated_);
  params_->allocate();
  add_objective(graph, objective_, generated_, photo_features, dtype_);
  const auto weight_of = [&](const std::string& term) {
    return term == "style"     ? objective_.style.weight
           : term == "content" ? objective_.content.weight
           : term == "depth"   ? objective_.depth.weight
                               : objective_.tv_weight;
  };
  for (const auto& term : graph.loss_terms()) terms_.push_back({.name = term, .weight = weight_of(term)});
  if (terms_.empty()) throw Error("every loss weight is 0: there is nothing to train for");
  session_options.backward = true;
  session_.emplace(std::move(graph), session_options);
  initialize(config);
}

// Every network once, with the layers of all terms that look at it.
void StyleTrainer::load_loss_networks(const TrainConfig& config) {
  const std::array<std::pair<const FeatureLossConfig*, FeatureTerm*>, 3> uses{
      {{&config.loss.style, &objective_.style},
       {&config.loss.content, &objective_.content},
       {&config.loss.depth, &objective_.depth}}};
  for (const auto& [wanted, term] : uses) {
    *term = {.layers = wanted->layers, .layer_weights = wanted->layer_weights, .weight = wanted->weight};
    if (wanted->weight == 0) continue;
    const auto known = std::find_if(loss_networks_.begin(), loss_networks_.end(),
                                    [&, net = wanted->net](const auto& entry) { return entry.first == net; });
    if (known != loss_networks_.end()) {
      term->network = known->second.get();
      continue;
    }
    std::vector<std::string> layers;
    for (const auto& [other, unused] : uses)
      if (other->weight != 0 && other->net == wanted->net)
        layers.insert(layers.end(), other->layers.begin(), other->layers.end());
    const std::string path = weights_path(config.weights, wanted->net);
    auto network = LossNetwork::load(load_loss_weights(config.weights, wanted->net), path, layers);
    if (path == kRandomWeights)
      notes_.push_back(
          fmt::format("{} has seeded random filters: usable for textures, but not the look of real "
                      "weights",
                      wanted->net));
    term->network = network.get();
    loss_networks_.emplace_back(wanted->net, std::move(network));
  }
  objective_.reduction =
      config.loss.style_reduction == "sum" ? StyleLossLayer::Reduction::Sum : StyleLossLayer::Reduction::Mean;
  objective_.tv_weight = config.loss.tv_weight;
}

Image StyleTrainer::load_style_picture(const TrainConfig& config) const {
  Image style = flatten_alpha(decode_image(config.style.image));
  const std::int64_t long_side = std::max(style.height, style.width);
  if (config.style.size > 0 && config.style.size != long_side) {
    const auto scaled = [&](std::int64_t side) {
      return std::max<std::int64_t>(
          1, std::llround(double(side) * double(config.style.size) / double(long_side)));
    };
    style = resize(style, scaled(style.height), scaled(style.width));
  }
  constexpr std::int64_t kSmallest = 32;
  if (std::min(style.height, style.width) < kSmallest)
    throw Error("{}: the style picture is {}x{} pixels, at least {}x{} are needed", config.style.image,
                style.width, style.height, kSmallest, kSmallest);
  return style;
}

void StyleTrainer::initialize(const TrainConfig& config) {
  if (config.model.init.empty()) {
    initialize_transform_net(*params_, network_, static_cast<std::uint64_t>(config.seed));
    return;
  }
  const WeightsFile start = load_network(config.model.init, "transform_net");
  if (const auto found = transform_net_from_json(start.architecture, config.model.init); found != network_)
    throw Error("{}: holds a transform network {}, but the configuration's [model] is {}", config.model.init,
                transform_net_to_json(found), transform_net_to_json(network_));
  load_parameters(*params_, start.parameters, config.model.init);
}

const std::vector<StyleTrainer::Term>& StyleTrainer::forward(std::span<const std::uint8_t> photos) {
  const TensorView input = session_->tensor(photo_);
  require(static_cast<std::int64_t>(photos.size()) == input.shape.count(), "batch of {} bytes, expected {}",
          photos.size(), input.shape.count());
  picture::to_tensor(context_, photos.data(), input);
  session_->forward();
  for (auto& term : terms_) term.raw = session_->loss(term.name);
  return terms_;
}

void StyleTrainer::update(std::int64_t step) {
  const adam::Hyper hyper{.lr = static_cast<float>(optimizer_.lr),
                          .beta1 = static_cast<float>(optimizer_.beta1),
                          .beta2 = static_cast<float>(optimizer_.beta2),
                          .eps = static_cast<float>(optimizer_.eps)};
  adam::step(context_, hyper, step, params_->slab_count(), params_->gradients().data(),
             params_->values().data(), params_->first_moments().data(), params_->second_moments().data(),
             nullptr);
  params_->values_changed();
}

std::vector<double> StyleTrainer::gradient_norms(std::span<const std::uint8_t> photos) {
  std::vector<double> norms;
  for (const auto& term : terms_) {
    forward(photos);
    session_->backward(term.name, generated_);
    const TensorView gradient = session_->gradient(generated_);
    norms.push_back(adam::gradient_norm(context_, gradient.shape.count(), gradient.as<float>()));
  }
  return norms;
}

double StyleTrainer::parameter_gradient_norm() const {
  return adam::gradient_norm(context_, params_->slab_count(), params_->gradients().data());
}

Image StyleTrainer::stylize(const Image& photo) {
  const Shape size{1, photo.height, photo.width, 3};
  if (!stylizer_ || stylizer_size_ != size) {
    stylizer_.emplace(context_, *params_, network_, photo.height, photo.width, dtype_);
    stylizer_size_ = size;
  }
  Image result(photo.height, photo.width, 3);
  stylizer_->run(photo.pixels.data(), result.pixels.data());
  return result;
}

}  // namespace chiaro
