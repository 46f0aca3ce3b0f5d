// A frozen network with its weights, whose features losses are computed on: VGG-16, VGG-19 or ResNet-UpProj,
// as the weights file says. The weights are in memory once, however often the network appears in graphs.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/graph.hpp"
#include "engine/io/weights_file.hpp"
#include "layers/nets/vgg.hpp"

namespace chiaro {

// What the file of a VGG says of it. Errors name the file.
VggConfig vgg_config(const WeightsFile& weights, const std::string& file);

class LossNetwork {
 public:
  virtual ~LossNetwork() = default;

  // Takes what the features need from `file` (its path is for messages); deeper layers are left out. Unknown
  // layer names, missing tensors and wrong shapes are Errors.
  static std::unique_ptr<LossNetwork> load(const WeightsFile& weights, const std::string& file,
                                           const std::vector<std::string>& features);

  // All features that the network offers, in order.
  static std::vector<std::string> feature_names(const WeightsFile& weights, const std::string& file);

  // Appends the network up to the deepest of the features, all of which must have been given to load().
  virtual std::map<std::string, TensorId> build(Graph& graph, TensorId picture, DType dtype,
                                                const std::vector<std::string>& features,
                                                const std::string& prefix) = 0;

  const ParamStore& params() const { return store_; }

 protected:
  ParamStore store_{ParamStore::Kind::Frozen};
};

}  // namespace chiaro
