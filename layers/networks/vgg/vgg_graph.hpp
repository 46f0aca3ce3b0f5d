// A VGG as a graph, for losses.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/graph.hpp"
#include "layers/networks/vgg/vgg.hpp"

namespace chiaro {

// Adds the network up to the deepest of `features` and returns their tensors by name. An unknown name is an
// Error that suggests the nearest one. `prefix` goes before the node names, so that the network can run twice
// in a graph.
std::map<std::string, TensorId> build_vgg(Graph& graph, ParamStore& store, TensorId picture,
                                          const Vgg& network, DType dtype,
                                          const std::vector<std::string>& features,
                                          const std::string& prefix);

}  // namespace chiaro
