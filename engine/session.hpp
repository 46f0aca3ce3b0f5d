// Runs a graph: places every tensor in one arena, once, then runs forward and backward without allocating.
//
// Steps are numbered 0 .. n-1 for the forward pass of n nodes and n .. 2n-1 for their backward pass in
// reverse. A tensor lives from the step that writes it to the last step that reads it. Its gradient lives
// from the backward step of its last consumer, which writes it first, to the backward step of its producer,
// which reads it last.
// Determinism: nodes run in graph order; the same inputs give the same bits.
//
// On a CUDA context tensors, gradients and parameters lie in the memory of the GPU, and forward() and
// backward() return before they have run; loss() waits. engine/transfer.hpp fills and reads tensors on either
// device. Nothing waits in between, so forward() and backward() can be recorded (base/cuda_graph_exec.hpp)
// once they have run before.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/graph.hpp"
#include "engine/session_plan.hpp"

namespace chiaro {

struct NodeTime {
  double forward_s = 0, backward_s = 0;
};

class Session {
 public:
  Session(Graph graph, SessionOptions options);

  const Graph& graph() const { return graph_; }
  const SessionPlan& plan() const { return plan_; }

  // Views stay valid for the life of the session. Contents: inputs are the caller's before forward(); a
  // tensor with keep() is readable after forward(), until backward(); a gradient with keep_gradient() after
  // backward().
  TensorView tensor(TensorId id) const;
  TensorView gradient(TensorId id) const;

  void forward();
  // Gradients of the sum of all loss terms, or of one term only; parameter gradients are overwritten.
  // `stop_at`: only as far as the gradient of that tensor; no parameter gradient is touched upstream of it.
  // forward() must have run since the last backward().
  void backward(const std::string& only_term = "", std::optional<TensorId> stop_at = {});
  // forward() and then backward() of all loss terms, the same bits, but losses that can give their value
  // together with their gradient do so: loss() is valid after it.
  void forward_backward();
  // Backward from a gradient that the caller has written to gradient(id) (id needs keep_gradient()).
  void backward_from(TensorId id);

  // Sum of the values of a term's loss nodes, after forward(). Unweighted as the layers define it.
  double loss(const std::string& term) const;
  // The same by picture, for a term whose layers give a value for each picture; else one value.
  std::vector<double> loss_by_picture(const std::string& term) const;

  // Accumulates seconds per node while set; every node is then waited for.
  void set_profile(std::vector<NodeTime>* times) { profile_ = times; }

 private:
  void run_forward(bool values_follow);
  void run_backward(const std::string& only_term, std::optional<TensorId> stop_at,
                    std::optional<TensorId> seed, bool with_values);
  bool value_can_follow(std::size_t node) const;
  void send_losses();
  void poison_dead(int step);
  void place_parameters();
  double seconds_now() const;
  std::byte* at(int block) const {
    return arena_.data() + plan_.memory.offsets[static_cast<std::size_t>(block)];
  }

  struct BoundNode {
    std::vector<void*> saved_pointers;
    std::vector<ConstTensorView> inputs;
    std::vector<TensorView> input_gradients;
    std::vector<GradientMode> input_modes;
  };

  Graph graph_;
  SessionOptions options_;
  std::vector<BoundNode> nodes_;
  std::vector<char> gradient_written_;
  SessionPlan plan_;
  Buffer arena_;
  std::vector<std::int64_t> loss_slot_;  // per node: place in the buffers below, or -1
  Buffer losses_, losses_on_host_;       // values of all loss nodes; the second where the host computes not
  std::vector<NodeTime>* profile_ = nullptr;
};

}  // namespace chiaro
