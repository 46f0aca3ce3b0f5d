// The launches of one training iteration on a GPU, as the design has them: counted from the graph alone.
//
// By name, as launch() gives it (common/cuda_portable.hpp). Convolutions count one launch a pass, named
// conv2d_forward, conv2d_backward_data and conv2d_backward_weights whoever computes them; Gram matrices are
// "gram" and "gram_backward" whichever unit does. Left out is what depends on the library that computes a
// convolution: conversions between types, working copies of its weights, sums of its bias gradient.
// tests/device_emulated compares with what is launched.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "engine/graph.hpp"

namespace chiaro {

// graph: of a style training, to which the feeding of the pictures and the update are added.
std::map<std::string, std::int64_t> step_kernels(const Graph& graph);

}  // namespace chiaro
