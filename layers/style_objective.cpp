#include "layers/style_objective.hpp"

#include <algorithm>

#include "engine/session.hpp"
#include "engine/transfer.hpp"

namespace chiaro {

namespace {

double layer_weight(const FeatureTerm& term, std::size_t i) {
  return term.layer_weights.empty() ? 1.0 : term.layer_weights[i];
}

void require_consistent(const FeatureTerm& term, const char* name) {
  require(term.network != nullptr && !term.layers.empty(), "loss.{}: no network or no layers", name);
  require(term.layer_weights.empty() || term.layer_weights.size() == term.layers.size(),
          "loss.{}: {} layers, but {} layer weights", name, term.layers.size(), term.layer_weights.size());
}

std::string key(const char* term, const std::string& layer) {
  return std::string(term) + " " + layer;
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
  const auto add = [&](const FeatureTerm& term, const char* name) {
    if (term.weight == 0) return;
    require_consistent(term, name);
    const auto features =
        term.network->build(graph, photo, dtype, term.layers, std::string("photo/") + name + "/");
    for (const auto& [layer, id] : features) targets[key(name, layer)] = id;
  };
  add(objective.content, "content");
  add(objective.depth, "depth");
  return targets;
}

void add_objective(Graph& graph, StyleObjective& objective, TensorId generated,
                   const std::map<std::string, TensorId>& photo_features, DType dtype) {
  struct Use {
    const FeatureTerm* term;
    const char* name;
  };
  std::vector<Use> uses;
  if (objective.style.weight != 0) uses.push_back({&objective.style, "style"});
  if (objective.content.weight != 0) uses.push_back({&objective.content, "content"});
  if (objective.depth.weight != 0) uses.push_back({&objective.depth, "depth"});
  for (const auto& use : uses) require_consistent(*use.term, use.name);

  // A network that several terms look at runs once on the generated picture.
  std::map<LossNetwork*, std::map<std::string, TensorId>> built;
  for (const auto& use : uses) {
    if (built.count(use.term->network)) continue;
    std::vector<std::string> layers;
    for (const auto& other : uses)
      if (other.term->network == use.term->network)
        layers.insert(layers.end(), other.term->layers.begin(), other.term->layers.end());
    built[use.term->network] = use.term->network->build(graph, generated, dtype, layers, "");
  }

  for (const auto& use : uses)
    for (std::size_t i = 0; i < use.term->layers.size(); ++i) {
      const std::string& layer = use.term->layers[i];
      const TensorId features = built[use.term->network].at(layer);
      LossOptions options{.weight = use.term->weight, .layer_weight = layer_weight(*use.term, i)};
      const std::string node = key(use.name, layer);
      if (use.term == &objective.style) {
        auto target = objective.style_targets.find(layer);
        require(target != objective.style_targets.end(), "no style target for layer {}", layer);
        auto loss = std::make_unique<StyleLossLayer>(std::move(target->second), objective.reduction, options);
        std::vector<TensorId> inputs{features};
        if (objective.shares >= 0) inputs.push_back(objective.shares);
        graph.add_loss(use.name, node, std::move(loss), inputs);
      } else {
        graph.add_loss(use.name, node, std::make_unique<FeatureLossLayer>(options),
                       {features, photo_features.at(node)});
      }
    }
  if (objective.tv_weight != 0)
    graph.add_loss("tv", "tv", std::make_unique<TvLossLayer>(LossOptions{.weight = objective.tv_weight}),
                   {generated});
  if (objective.range_weight != 0)
    graph.add_loss("range", "range",
                   std::make_unique<RangeLossLayer>(LossOptions{.weight = objective.range_weight}),
                   {generated});
}

}  // namespace chiaro
