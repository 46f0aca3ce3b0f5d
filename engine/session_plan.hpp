// Where everything of a graph lies in one arena, and when it is alive. Pure: allocates no tensor.
//
// Steps are numbered 0 .. n-1 for the forward pass of n nodes and n .. 2n-1 for their backward pass in
// reverse. A tensor lives from the step that writes it to the last step that reads it. Its gradient lives
// from the backward step of its last consumer, which writes it first, to the backward step of its producer,
// which reads it last. A gradient that a node passes on as it is (LayerSpec::passes_gradient_to) shares the
// memory of the node's own, if that node is the first to write it: then the block lives for both.
#pragma once
#include <string>
#include <vector>

#include "engine/graph.hpp"
#include "engine/memory_planner.hpp"

namespace chiaro {

struct SessionOptions {
  bool backward = false;  // plan for a backward pass
  bool reuse_memory =
      true;             // false: every tensor has bytes of its own (to bisect a suspected planning mistake)
  bool poison = false;  // fill memory with NaN as soon as the plan calls it dead (tests)
};

struct SessionPlan {
  struct NodeBlocks {
    std::vector<int> saved;
    int forward_workspace = -1, backward_workspace = -1;  // -1 = none, here and below
  };

  std::vector<MemoryBlock> blocks;
  std::vector<std::string> block_names;
  std::vector<int> tensor_block, gradient_block;  // per tensor
  std::vector<NodeBlocks> nodes;
  MemoryPlan memory;

  // One line per block: offset, bytes, steps, what.
  std::string describe() const;
};

int backward_step(const Graph& graph, int node);

// Per node: true where it passes its gradient on in place.
std::vector<bool> gradients_in_place(const Graph& graph, const SessionPlan& plan);

SessionPlan plan_session(const Graph& graph, const SessionOptions& options);

}  // namespace chiaro
