// The graph of one style-training step, before any memory for tensors is taken.
//
// photo -> target features; photo -> transform network -> loss networks -> loss nodes.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/training/config.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "layers/style_objective.hpp"

namespace chiaro {

// The network of a configuration, with its styles.
TransformNet transform_net_config(const TrainConfig& config);

struct TermWeight {
  std::string name;
  double weight = 0;
};
using NamedLossNetworks = std::vector<std::pair<std::string, std::unique_ptr<LossNetwork>>>;

// The layers of the graph refer to the parameters and the loss networks: keep these as long as the graph.
struct StyleGraph {
  TransformNet network;
  std::unique_ptr<ParamStore> params;  // of the transform network; declared, not allocated
  NamedLossNetworks loss_networks;     // each once, however many terms look at it
  Graph graph;
  TensorId photo = -1, generated = -1;  // (batch, size, size, 3), fp32
  TensorId shares = -1;                 // of several styles in every picture (batch, 1, 1, styles), fp32
  std::vector<TermWeight> terms;        // in the order of the graph, none of weight 0
  std::vector<std::string> notes;       // what the user should know
};

enum class GraphPurpose {
  Run,   // loads weights and the style picture, whose Gram matrices are computed
  Plan,  // shapes only: needs no style picture, and no weights file that is of standard width
};

// Errors: missing or unsuitable weights or style picture, unknown layers, no loss at all.
StyleGraph build_style_graph(Context& context, const TrainConfig& config, DType dtype, GraphPurpose purpose);

}  // namespace chiaro
