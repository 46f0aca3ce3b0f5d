// The cuDNN plans of every convolution of our networks, for a GPU that need not be there.
//
// The networks are built as programs build them, in a context that plans for a described GPU: their layers
// ask conv2d::Plan for workspaces, and so the context's plan cache fills with the graphs that would run.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::test {

struct Precision {
  const char* name;
  DType dtype;
  bool tf32;
};
inline constexpr Precision kPrecisions[] = {
    {"bf16", DType::BF16, false}, {"tf32", DType::F32, true}, {"fp32", DType::F32, false}};

struct PlannedGraph {
  std::string refusal;  // why there is no plan; "" = there is one
  std::int64_t engine = -1, workspace_bytes = 0;
  bool matrix_units = false, compiled_at_run_time = false, from_fallback = false;
};
using PlannedGraphs = std::map<std::string, PlannedGraph>;  // by what they compute

struct Network {
  const char* name;
  bool trains;  // false: only forward passes are planned for
  void (*build)(Context&, DType);
};
// The recipe's training step, training of the depth network, and stylizing at three sizes.
const std::vector<Network>& networks();

// `properties`: the file with the GPU's properties.
PlannedGraphs planned_graphs(const std::string& properties, const Network& network,
                             const Precision& precision);

}  // namespace chiaro::test
