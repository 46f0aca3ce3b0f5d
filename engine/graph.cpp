#include "engine/graph.hpp"

#include <algorithm>

namespace chiaro {

TensorId Graph::add_input(const std::string& name, TensorSpec spec, bool wants_gradient) {
  require(spec.shape.count() > 0, "input '{}' has the empty shape {}", name, to_string(spec.shape));
  tensors_.push_back(
      {.name = name, .spec = spec, .needs_gradient = wants_gradient, .keep_gradient = wants_gradient});
  return static_cast<TensorId>(tensors_.size()) - 1;
}

TensorId Graph::add(const std::string& name, std::unique_ptr<Layer> layer, std::vector<TensorId> inputs) {
  Node node{.name = name, .layer = std::move(layer), .spec = {}, .inputs = std::move(inputs), .output = -1};
  std::vector<TensorSpec> specs;
  bool needs_gradient = false;
  for (const TensorId id : node.inputs) {
    require(id >= 0 && id < static_cast<TensorId>(tensors_.size()), "{}: input tensor {} does not exist",
            name, id);
    specs.push_back(tensors_[id].spec);
    needs_gradient |= tensors_[id].needs_gradient;
  }
  for (const Param& p : node.layer->params()) node.trains_parameters |= p.trainable();
  try {
    node.spec = node.layer->setup(context_, specs);
  } catch (const Error& e) {
    throw Error("{}: {}", name, e.what());
  }
  node.output = static_cast<TensorId>(tensors_.size());
  tensors_.push_back({.name = name,
                      .spec = node.spec.output,
                      .producer = static_cast<int>(nodes_.size()),
                      .needs_gradient = needs_gradient || node.trains_parameters});
  nodes_.push_back(std::move(node));
  return nodes_.back().output;
}

TensorId Graph::add_loss(const std::string& term, const std::string& name, std::unique_ptr<Layer> layer,
                         std::vector<TensorId> inputs) {
  require(layer->is_loss(), "{}: {} is not a loss layer", name, layer->type());
  const TensorId id = add(name, std::move(layer), std::move(inputs));
  nodes_.back().loss_term = term;
  keep(id);
  return id;
}

std::vector<std::string> Graph::loss_terms() const {
  std::vector<std::string> terms;
  for (const auto& node : nodes_)
    if (!node.loss_term.empty() && std::find(terms.begin(), terms.end(), node.loss_term) == terms.end())
      terms.push_back(node.loss_term);
  return terms;
}

}  // namespace chiaro
