#include "engine/session.hpp"

#include <algorithm>
#include <chrono>
#include <map>

namespace chiaro {

namespace {

// Parameter gradients are overwritten by the one node that trains them: two such nodes would lose one
// gradient.
void require_single_trainer(const Graph& graph) {
  std::map<std::pair<ParamStore*, int>, std::string> trainer;
  for (const auto& node : graph.nodes())
    for (const Param& p : node.layer->params())
      if (p.trainable()) {
        const auto [first, is_new] = trainer.emplace(std::pair{p.store, p.index}, node.name);
        require(is_new, "{}: trainable parameter '{}' is already used by {}", node.name,
                p.store->entries()[p.index].name, first->second);
      }
}

}  // namespace

Session::Session(Graph graph, SessionOptions options) : graph_(std::move(graph)), options_(options) {
  require_single_trainer(graph_);
  place_parameters();
  Context& context = graph_.context();
  const MemoryKind memory = compute_memory(context);
  plan_ = plan_session(graph_, options_);
  arena_ = Buffer(plan_.memory.arena_bytes, "activations, gradients and workspaces", memory);
  if (options_.poison) fill_async(context, arena_.data(), 0xff, arena_.bytes());
  gradient_written_.resize(graph_.tensors().size());
  nodes_.resize(graph_.nodes().size());
  std::int64_t losses = 0;
  for (const auto& node : graph_.nodes()) {
    loss_slot_.push_back(node.layer->is_loss() ? losses : -1);
    if (node.layer->is_loss()) losses += graph_.shape(node.output).count();
  }
  losses_ = Buffer(losses * 4, "losses", memory);
  if (memory != MemoryKind::Host) losses_on_host_ = Buffer(losses * 4, "losses", MemoryKind::Pinned);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    auto& b = nodes_[i];
    const auto& node = graph_.nodes()[i];
    for (const int block : plan_.nodes[i].saved) b.saved_pointers.push_back(at(block));
    for (const TensorId id : node.inputs) b.inputs.push_back(tensor(id));
    b.input_gradients.resize(node.inputs.size());
    b.input_modes.resize(node.inputs.size());
  }
}

void Session::place_parameters() {
  for (const auto& node : graph_.nodes())
    for (const Param& p : node.layer->params()) p.store->place_on(graph_.context());
}

TensorView Session::tensor(TensorId id) const {
  const auto& tensor = graph_.tensor(id);
  const std::int64_t slot = tensor.producer < 0 ? -1 : loss_slot_[tensor.producer];
  void* data = slot < 0 ? static_cast<void*>(at(plan_.tensor_block[id])) : losses_.as<float>() + slot;
  return {data, tensor.spec.dtype, tensor.spec.shape};
}

TensorView Session::gradient(TensorId id) const {
  const auto& spec = graph_.tensor(id).spec;
  require(plan_.gradient_block[id] >= 0, "tensor '{}' has no gradient in this session",
          graph_.tensor(id).name);
  return {at(plan_.gradient_block[id]), spec.dtype, spec.shape};
}

void Session::poison_dead(int step) {
  for (std::size_t b = 0; b < plan_.blocks.size(); ++b)
    if (plan_.blocks[b].last_step == step)
      fill_async(graph_.context(), at(static_cast<int>(b)), 0xff, plan_.blocks[b].bytes);
}

double Session::seconds_now() const {
  synchronize(graph_.context());
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Session::forward() {
  run_forward(false);
  send_losses();
}

void Session::forward_backward() {
  run_forward(true);
  run_backward("", {}, {}, true);
  send_losses();
}

bool Session::value_can_follow(std::size_t node) const {
  const auto& n = graph_.nodes()[node];
  return n.layer->value_comes_with_gradient() && graph_.tensor(n.output).needs_gradient;
}

void Session::send_losses() {
  if (losses_on_host_) copy_async(graph_.context(), losses_on_host_.data(), losses_.data(), losses_.bytes());
}

void Session::run_forward(bool values_follow) {
  const auto& nodes = graph_.nodes();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const double start = profile_ ? seconds_now() : 0;
    NodeIo io;
    io.inputs = nodes_[i].inputs;
    io.output = tensor(nodes[i].output);
    io.saved = nodes_[i].saved_pointers;
    if (plan_.nodes[i].forward_workspace >= 0) io.workspace = at(plan_.nodes[i].forward_workspace);
    if (!values_follow || !value_can_follow(i)) nodes[i].layer->forward(graph_.context(), io);
    if (profile_) (*profile_)[i].forward_s += seconds_now() - start;
    if (options_.poison) poison_dead(static_cast<int>(i));
  }
}

void Session::backward(const std::string& only_term, std::optional<TensorId> stop_at) {
  run_backward(only_term, stop_at, {}, false);
}

void Session::backward_from(TensorId id) {
  run_backward("", {}, id, false);
}

void Session::run_backward(const std::string& only_term, std::optional<TensorId> stop_at,
                           std::optional<TensorId> seed, bool with_values) {
  require(options_.backward, "this session was planned without a backward pass");
  const auto& nodes = graph_.nodes();
  std::fill(gradient_written_.begin(), gradient_written_.end(), 0);
  if (seed) gradient_written_[*seed] = 1;
  const int stop_node = stop_at ? graph_.tensor(*stop_at).producer : -1;
  for (int i = static_cast<int>(nodes.size()) - 1; i > stop_node; --i) {
    const auto& node = nodes[i];
    const bool is_loss = node.layer->is_loss();
    // A loss that depends on nothing trainable has no gradient, and its backward pass no memory.
    const bool starts_here = is_loss && !seed && graph_.tensor(node.output).needs_gradient &&
                             (only_term.empty() || node.loss_term == only_term);
    if (!starts_here && (is_loss || !gradient_written_[node.output])) continue;
    auto& bound = nodes_[i];
    const double start = profile_ ? seconds_now() : 0;
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      const TensorId id = node.inputs[k];
      const bool wanted = graph_.tensor(id).needs_gradient;
      bound.input_gradients[k] = wanted ? gradient(id) : TensorView{};
      bound.input_modes[k] = !wanted                 ? GradientMode::Ignore
                             : gradient_written_[id] ? GradientMode::Accumulate
                                                     : GradientMode::Overwrite;
      if (wanted) gradient_written_[id] = 1;
    }
    NodeIo io;
    io.inputs = bound.inputs;
    io.output = tensor(node.output);
    io.saved = bound.saved_pointers;
    if (plan_.nodes[i].backward_workspace >= 0) io.workspace = at(plan_.nodes[i].backward_workspace);
    if (!is_loss) io.output_gradient = gradient(node.output);
    io.input_gradients = bound.input_gradients;
    io.input_modes = bound.input_modes;
    io.value_wanted = with_values && value_can_follow(static_cast<std::size_t>(i));
    io.param_mode = node.trains_parameters ? GradientMode::Overwrite : GradientMode::Ignore;
    node.layer->backward(graph_.context(), io);
    if (profile_) (*profile_)[i].backward_s += seconds_now() - start;
    if (options_.poison) poison_dead(backward_step(graph_, i));
  }
}

std::vector<double> Session::loss_by_picture(const std::string& term) const {
  synchronize(graph_.context());
  const float* losses = (losses_on_host_ ? losses_on_host_ : losses_).as<float>();
  std::vector<double> sums;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto& node = graph_.nodes()[i];
    if (node.loss_term != term) continue;
    const auto values = static_cast<std::size_t>(graph_.shape(node.output).count());
    if (values > sums.size()) sums.resize(values);
    for (std::size_t n = 0; n < values; ++n) sums[n] += losses[loss_slot_[i] + static_cast<std::int64_t>(n)];
  }
  return sums;
}

double Session::loss(const std::string& term) const {
  double sum = 0;
  for (const double value : loss_by_picture(term)) sum += value;
  return sum;
}

}  // namespace chiaro
