// A frozen network with its weights, whose features losses are computed on. The weights are in memory once,
// however often the network appears in graphs.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/graph.hpp"
#include "engine/io/weights_file.hpp"

namespace chiaro {

class LossNetwork {
 public:
  virtual ~LossNetwork() = default;

  // Takes what the features need from `file` (its path is for messages); deeper layers are left out. Unknown
  // layer names, missing tensors and wrong shapes are Errors, and so is a kind that losses cannot look
  // through.
  static std::unique_ptr<LossNetwork> load(const WeightsFile& weights, const std::string& file,
                                           const std::vector<std::string>& features);

  // The published network of a kind, without values: for plans.
  static std::unique_ptr<LossNetwork> declared(const std::string& kind);

  // Appends the network up to the deepest of the features, all of which must have been given to load().
  virtual std::map<std::string, TensorId> build(Graph& graph, TensorId picture, DType dtype,
                                                const std::vector<std::string>& features,
                                                const std::string& prefix) = 0;

  const ParamStore& params() const { return store_; }

 protected:
  ParamStore store_{ParamStore::Kind::Frozen};
};

}  // namespace chiaro
