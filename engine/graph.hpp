// A static graph: layer nodes in execution order. Building it infers shapes and needs no memory for tensors.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "engine/layer.hpp"

namespace chiaro {

using TensorId = int;

class Graph {
 public:
  struct Tensor {
    std::string name;
    TensorSpec spec;
    int producer = -1;            // node, or -1 for an input of the graph
    bool needs_gradient = false;  // depends on a trainable parameter, or on an input that wants a gradient
    bool keep = false;            // readable after forward
    bool keep_gradient = false;   // gradient readable after backward
  };
  struct Node {
    std::string name;
    std::unique_ptr<Layer> layer;
    LayerSpec spec;
    std::vector<TensorId> inputs;
    TensorId output;
    bool trains_parameters = false;
    std::string loss_term;  // name of the loss term that this node belongs to, or ""
  };

  explicit Graph(Context& context) : context_(context) {}

  // An input that the caller fills before every forward pass.
  TensorId add_input(const std::string& name, TensorSpec spec, bool wants_gradient = false);
  // Appends a node. Errors of the layer's setup are prefixed with the node's name.
  TensorId add(const std::string& name, std::unique_ptr<Layer> layer, std::vector<TensorId> inputs);
  // Appends a loss node that counts towards a term ("style", "content", ...).
  TensorId add_loss(const std::string& term, const std::string& name, std::unique_ptr<Layer> layer,
                    std::vector<TensorId> inputs);

  void keep(TensorId id) { tensors_[id].keep = true; }
  void keep_gradient(TensorId id) { tensors_[id].keep_gradient = true; }

  const Tensor& tensor(TensorId id) const { return tensors_[id]; }
  Shape shape(TensorId id) const { return tensors_[id].spec.shape; }
  const std::vector<Tensor>& tensors() const { return tensors_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  std::vector<std::string> loss_terms() const;  // in order of first appearance
  Context& context() const { return context_; }

 private:
  Context& context_;
  std::vector<Tensor> tensors_;
  std::vector<Node> nodes_;
};

}  // namespace chiaro
