// The training objective on a graph, a list of terms: style, any number of losses on features between the
// generated picture and the photo it was made from, and losses on the picture alone. Terms of weight 0 are
// left out altogether.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "layers/gram_loss_layers.hpp"
#include "layers/networks/loss_network.hpp"

namespace chiaro {

// Features of one network that a term looks at.
struct FeatureTerm {
  std::string name;  // "content"
  LossNetwork* network = nullptr;
  std::vector<std::string> layers;
  std::vector<double> layer_weights;  // empty = 1 each
  double weight = 0;
};

// A loss on the generated picture alone: "tv", total variation, or "range", values outside 0 to 255.
struct PictureTerm {
  std::string name;
  double weight = 0;
};

struct StyleObjective {
  FeatureTerm style = {};
  std::vector<FeatureTerm> features = {};  // of the generated picture against those of the photo
  std::vector<PictureTerm> pictures = {};
  StyleLossLayer::Reduction reduction = StyleLossLayer::Reduction::Mean;
  std::map<std::string, StyleTargets> style_targets = {};  // by style layer, from join_styles()
  TensorId shares =
      -1;  // of several styles in every picture (N,1,1,S), an input of the graph; one style: none

  double weight_of(const std::string& term) const;
};

// Gram matrices of a picture (1,H,W,3), RGB 0..255, fp32 in memory of the host, at its own size.
std::map<std::string, StyleTargets> style_targets(Context& context, const FeatureTerm& style,
                                                  ConstTensorView picture, DType dtype);

// The targets of several styles, each with a factor of its loss; or of one, whose factor must be 1.
std::map<std::string, StyleTargets> join_styles(Context& context,
                                                std::vector<std::map<std::string, StyleTargets>> styles,
                                                std::span<const double> weights);

// Appends the target features of the photo. Call it before the transform network is added, so that the memory
// of the photo's pass is free again when the network runs.
std::map<std::string, TensorId> add_photo_features(Graph& graph, const StyleObjective& objective,
                                                   TensorId photo, DType dtype);

// Appends the loss networks on the generated picture and all loss nodes, under the names of their terms.
// Moves the style targets into the layers.
void add_objective(Graph& graph, StyleObjective& objective, TensorId generated,
                   const std::map<std::string, TensorId>& photo_features, DType dtype);

}  // namespace chiaro
