#include "layers/style_objective.hpp"

#include <algorithm>

#include "engine/session.hpp"
#include "engine/transfer.hpp"

namespace chiaro {

namespace {

double layer_weight(const FeatureTerm& term, std::size_t i) {
  return term.layer_weights.empty() ? 1.0 : term.layer_weights[i];
}

void require_consistent(const FeatureTerm& term) {
  require(term.network != nullptr && !term.layers.empty(), "loss.{}: no network or no layers", term.name);
  require(term.layer_weights.empty() || term.layer_weights.size() == term.layers.size(),
          "loss.{}: {} layers, but {} layer weights", term.name, term.layers.size(),
          term.layer_weights.size());
}

std::string key(const FeatureTerm& term, const std::string& layer) {
  return term.name + " " + layer;
}

std::unique_ptr<Layer> picture_loss(const PictureTerm& term) {
  const LossOptions options{.weight = term.weight};
  if (term.name == "tv") return std::make_unique<TvLossLayer>(options);
  if (term.name == "range") return std::make_unique<RangeLossLayer>(options);
  throw Error("loss.{}: there is no such loss on pictures, expected tv or range", term.name);
}

}  // namespace

std::map<std::string, StyleTargets> style_targets(Context& context, const FeatureTerm& style,
                                                  ConstTensorView picture, DType dtype) {
  Graph graph(context);
  const TensorId input = graph.add_input("style picture", {picture.shape, DType::F32});
  const auto features = style.network->build(graph, input, dtype, style.layers, "style/");
  for (const auto& [name, id] : features) graph.keep(id);
  Session session(std::move(graph), {});
  write_tensor(context, session.tensor(input),
               {picture.as<float>(), static_cast<std::size_t>(picture.shape.count())});
  session.forward();
  std::map<std::string, StyleTargets> targets;
  for (const auto& [name, id] : features) targets[name].grams = gram_matrix(context, session.tensor(id));
  return targets;
}

std::map<std::string, StyleTargets> join_styles(Context& context,
                                                std::vector<std::map<std::string, StyleTargets>> styles,
                                                std::span<const double> weights) {
  require(!styles.empty() && styles.size() == weights.size(), "{} styles with {} weights", styles.size(),
          weights.size());
  if (styles.size() == 1) {
    require(weights[0] == 1, "the only style has the weight {}, expected 1", weights[0]);
    return std::move(styles[0]);
  }
  std::map<std::string, StyleTargets> joined;
  const auto count = static_cast<std::int64_t>(styles.size());
  const std::vector<float> factors(weights.begin(), weights.end());
  for (const auto& [layer, first] : styles[0]) {
    StyleTargets& targets = joined[layer];
    const std::int64_t bytes = first.grams.bytes();
    targets.grams = Buffer(count * bytes, "Gram matrices of the styles", compute_memory(context));
    targets.weights = Buffer(count * 4, "weights of the styles", compute_memory(context));
    for (std::size_t s = 0; s < styles.size(); ++s)
      copy_async(context, targets.grams.data() + static_cast<std::int64_t>(s) * bytes,
                 styles[s].at(layer).grams.data(), bytes);
    copy_async(context, targets.weights.data(), factors.data(), targets.weights.bytes());
  }
  synchronize(context);  // before what was copied from goes
  return joined;
}

std::map<std::string, TensorId> add_photo_features(Graph& graph, const StyleObjective& objective,
                                                   TensorId photo, DType dtype) {
  std::map<std::string, TensorId> targets;
  for (const FeatureTerm& term : objective.features) {
    if (term.weight == 0) continue;
    require_consistent(term);
    const auto features = term.network->build(graph, photo, dtype, term.layers, "photo/" + term.name + "/");
    for (const auto& [layer, id] : features) targets[key(term, layer)] = id;
  }
  return targets;
}

double StyleObjective::weight_of(const std::string& term) const {
  if (term == style.name) return style.weight;
  for (const FeatureTerm& feature : features)
    if (feature.name == term) return feature.weight;
  for (const PictureTerm& picture : pictures)
    if (picture.name == term) return picture.weight;
  throw Error("the objective has no term '{}'", term);
}

void add_objective(Graph& graph, StyleObjective& objective, TensorId generated,
                   const std::map<std::string, TensorId>& photo_features, DType dtype) {
  std::vector<const FeatureTerm*> uses{&objective.style};
  for (const FeatureTerm& feature : objective.features) uses.push_back(&feature);
  std::erase_if(uses, [](const FeatureTerm* term) { return term->weight == 0; });
  for (const FeatureTerm* use : uses) require_consistent(*use);

  // A network that several terms look at runs once on the generated picture.
  std::map<LossNetwork*, std::map<std::string, TensorId>> built;
  for (const FeatureTerm* use : uses) {
    if (built.count(use->network)) continue;
    std::vector<std::string> layers;
    for (const FeatureTerm* other : uses)
      if (other->network == use->network)
        layers.insert(layers.end(), other->layers.begin(), other->layers.end());
    built[use->network] = use->network->build(graph, generated, dtype, layers, "");
  }

  for (const FeatureTerm* use : uses)
    for (std::size_t i = 0; i < use->layers.size(); ++i) {
      const std::string& layer = use->layers[i];
      const TensorId features = built[use->network].at(layer);
      LossOptions options{.weight = use->weight, .layer_weight = layer_weight(*use, i)};
      const std::string node = key(*use, layer);
      if (use == &objective.style) {
        auto target = objective.style_targets.find(layer);
        require(target != objective.style_targets.end(), "no style target for layer {}", layer);
        auto loss = std::make_unique<StyleLossLayer>(std::move(target->second), objective.reduction, options);
        std::vector<TensorId> inputs{features};
        if (objective.shares >= 0) inputs.push_back(objective.shares);
        graph.add_loss(use->name, node, std::move(loss), inputs);
      } else {
        graph.add_loss(use->name, node, std::make_unique<FeatureLossLayer>(options),
                       {features, photo_features.at(node)});
      }
    }
  for (const PictureTerm& term : objective.pictures)
    if (term.weight != 0) graph.add_loss(term.name, term.name, picture_loss(term), {generated});
}

}  // namespace chiaro
