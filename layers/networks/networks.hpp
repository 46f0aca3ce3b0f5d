// The one table of kinds of networks: what is known of each, by the name that a weights file gives it.
//
// A new kind is a folder beside this file with its description, a row in networks.cpp, and its test.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph.hpp"
#include "engine/io/weights_file.hpp"
#include "layers/networks/parameters.hpp"

namespace chiaro {

// A frozen network with its weights, whose features losses are computed on. The weights are in memory once, however often
// the network appears in graphs.
class LossNetwork {
 public:
  virtual ~LossNetwork() = default;

  // Takes what the features need from `file` (its path is for messages); deeper layers are left out. Unknown layer names,
  // missing tensors and wrong shapes are Errors, and so is a kind that losses cannot look through.
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

struct NetworkKind {
  std::string_view name;  // "vgg19"
  std::string_view what;  // for people: "VGG-19"
  bool is_loss_network;

  // Each of these reads the architecture of a weights file; `file` is for messages.
  std::vector<std::string> (*features)(const WeightsFile& weights, const std::string& file);
  std::vector<ParameterShape> (*parameters)(const WeightsFile& weights, const std::string& file);
  std::vector<TensorMapping> (*state_dict)(const WeightsFile& weights, const std::string& file);
  // Null where losses cannot look through it.
  std::unique_ptr<LossNetwork> (*load)(const WeightsFile& weights, const std::string& file,
                                       const std::vector<std::string>& features);
};

// In the order in which they are listed to people.
const std::vector<NetworkKind>& network_kinds();

// An Error that begins with `file` for an unknown name.
const NetworkKind& network_kind(std::string_view name, const std::string& file);

std::vector<std::string> network_names();
// The names of those that losses can look through.
std::vector<std::string> loss_network_names();

}  // namespace chiaro
