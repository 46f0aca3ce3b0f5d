// Which parameter of a DagNN network belongs to which scope of ResNet-UpProj, in which role.
#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "weights_import/matconvnet_net.hpp"

namespace chiaro {

enum class DagnnRole { Filters, Bias, Multipliers, Offsets, Moments };

struct DagnnParam {
  std::string name;   // as the file has it, for messages
  std::string scope;  // as upproj_tensors() has it
  DagnnRole role = DagnnRole::Filters;
  const MatValue* value = nullptr;
};

struct DagnnLayer {
  std::string name;
  const MatValue* block = nullptr;  // its settings; may be null
};

struct Dagnn {
  std::vector<DagnnParam> params;            // those that belong to a scope, in the order of the file
  std::map<std::string, DagnnLayer> layers;  // by scope
  std::vector<std::string> layer_names;      // all, as the file has them
};

// Errors: no `params`, that is, no DagNN.
Dagnn read_dagnn(const MatFile& file, const MatValue& network, const std::string& expected);

}  // namespace chiaro
