#include "engine/session_plan.hpp"

#include <algorithm>

namespace chiaro {

int backward_step(const Graph& graph, int node) {
  return 2 * static_cast<int>(graph.nodes().size()) - 1 - node;
}

std::vector<bool> gradients_in_place(const Graph& graph, const SessionPlan& plan) {
  std::vector<bool> in_place;
  for (const auto& node : graph.nodes()) {
    const int input = node.spec.passes_gradient_to;
    const int own = plan.gradient_block[node.output];
    in_place.push_back(input >= 0 && own >= 0 && own == plan.gradient_block[node.inputs[input]]);
  }
  return in_place;
}

SessionPlan plan_session(const Graph& graph, const SessionOptions& options) {
  SessionPlan plan;
  const auto& tensors = graph.tensors();
  const auto& nodes = graph.nodes();
  const int n = static_cast<int>(nodes.size());
  const auto add_block = [&](const std::string& name, std::int64_t bytes, int first, int last) {
    plan.blocks.push_back({bytes, first, last});
    plan.block_names.push_back(name);
    return static_cast<int>(plan.blocks.size()) - 1;
  };
  const auto runs_backward = [&](int node) {
    return options.backward && tensors[nodes[node].output].needs_gradient;
  };

  const int end = options.backward ? 2 * n : n;
  std::vector<int> last_use(tensors.size(), 0), first_gradient(tensors.size(), end);
  for (std::size_t t = 0; t < tensors.size(); ++t) last_use[t] = std::max(tensors[t].producer, 0);
  for (int i = 0; i < n; ++i) {
    for (const TensorId id : nodes[i].inputs) last_use[id] = std::max(last_use[id], i);
    if (!runs_backward(i)) continue;
    for (const int k : nodes[i].spec.backward_reads_inputs)
      last_use[nodes[i].inputs[k]] = std::max(last_use[nodes[i].inputs[k]], backward_step(graph, i));
    if (nodes[i].spec.backward_reads_output)
      last_use[nodes[i].output] = std::max(last_use[nodes[i].output], backward_step(graph, i));
    for (const TensorId id : nodes[i].inputs)
      if (tensors[id].needs_gradient)
        first_gradient[id] = std::min(first_gradient[id], backward_step(graph, i));
  }

  // Per tensor: the output of the node that passes its gradient on to it in place, or -1.
  std::vector<TensorId> passed_from(tensors.size(), -1);
  for (int i = 0; i < n; ++i) {
    const int input = nodes[i].spec.passes_gradient_to;
    if (input < 0 || !options.reuse_memory || !runs_backward(i)) continue;
    const TensorId from = nodes[i].output, to = nodes[i].inputs[input];
    const bool writes_first =
        first_gradient[to] == backward_step(graph, i) && std::ranges::count(nodes[i].inputs, to) == 1;
    if (writes_first && tensors[to].needs_gradient &&
        tensors[from].spec.bytes() == tensors[to].spec.bytes() && !tensors[from].keep_gradient &&
        !tensors[to].keep_gradient)
      passed_from[to] = from;
  }

  plan.tensor_block.assign(tensors.size(), -1);
  plan.gradient_block.assign(tensors.size(), -1);
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const auto& tensor = tensors[t];
    // An input is written before step 0; a kept tensor must survive the forward pass.
    const int last = tensor.keep ? std::max(last_use[t], n) : last_use[t];
    plan.tensor_block[t] = add_block(tensor.name, tensor.spec.bytes(), std::max(tensor.producer, 0), last);
  }
  // Backwards: a gradient that is passed on has its place before the one that shares it.
  for (std::size_t t = tensors.size(); t-- > 0;) {
    const auto& tensor = tensors[t];
    if (!options.backward || !tensor.needs_gradient) continue;
    if (tensor.producer >= 0 && nodes[tensor.producer].layer->is_loss()) continue;
    int first = first_gradient[t], until = tensor.producer >= 0 ? backward_step(graph, tensor.producer) : end;
    if (tensor.keep_gradient) until = end;
    if (first == end && !tensor.keep_gradient) continue;  // nobody downstream
    if (first == end) first = n;                          // seeded by the caller before the backward pass
    if (passed_from[t] >= 0 && plan.gradient_block[passed_from[t]] >= 0) {
      const int shared = plan.gradient_block[t] = plan.gradient_block[passed_from[t]];
      plan.blocks[shared].last_step = std::max<std::int64_t>(plan.blocks[shared].last_step, until);
      continue;
    }
    plan.gradient_block[t] =
        add_block("gradient of " + tensor.name, tensor.spec.bytes(), std::min(first, until), until);
  }
  plan.nodes.resize(nodes.size());
  for (int i = 0; i < n; ++i) {
    const auto& spec = nodes[i].spec;
    for (const auto bytes : spec.saved_bytes)
      plan.nodes[i].saved.push_back(
          add_block("saved by " + nodes[i].name, bytes, i, runs_backward(i) ? backward_step(graph, i) : i));
    if (spec.forward_workspace_bytes)
      plan.nodes[i].forward_workspace =
          add_block("workspace of " + nodes[i].name, spec.forward_workspace_bytes, i, i);
    if (!runs_backward(i)) continue;
    const bool input_gradient =
        std::ranges::any_of(nodes[i].inputs, [&](TensorId id) { return tensors[id].needs_gradient; });
    if (const std::int64_t bytes = spec.backward_workspace_bytes.get(input_gradient))
      plan.nodes[i].backward_workspace = add_block("backward workspace of " + nodes[i].name, bytes,
                                                   backward_step(graph, i), backward_step(graph, i));
  }
  plan.memory = plan_memory(plan.blocks, options.reuse_memory, alignment_of(graph.context()));
  return plan;
}

std::string SessionPlan::describe() const {
  std::string text = fmt::format("{:>12} {:>12} {:>11}  block\n", "offset", "bytes", "steps");
  std::vector<std::size_t> order(blocks.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](auto a, auto b) { return blocks[a].first_step < blocks[b].first_step; });
  for (const auto i : order)
    text += fmt::format("{:>12} {:>12} {:>5}-{:<5}  {}\n", memory.offsets[i], blocks[i].bytes,
                        blocks[i].first_step, blocks[i].last_step, block_names[i]);
  return text;
}

}  // namespace chiaro
