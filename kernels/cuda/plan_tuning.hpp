// Choosing plans by measuring them; see plan_file.hpp.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "kernels/cuda/cudnn_graph.hpp"
#include "kernels/cuda/plan_file.hpp"

namespace chiaro::cuda {

class DeviceContext;

// The file's plan for this key; without one the fastest of the first few that the heuristics propose, which
// the file then keeps. nullptr with a reason when nothing fits. Takes memory of the GPU for the graph's
// tensors while it measures; a candidate for which there is not enough, or that fails, is passed over.
std::unique_ptr<cudnn::Plan> tuned_plan(DeviceContext& device, cudnn::PlanFile& file, const std::string& key,
                                        const std::function<cudnn::Graph()>& make_graph, cudnn::Math math,
                                        std::string& refusal);

}  // namespace chiaro::cuda
