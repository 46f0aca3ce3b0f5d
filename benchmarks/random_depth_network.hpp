// The published ResNet-UpProj with random values: what it costs is what the real one costs, and benchmarks
// need no download. It sees no depth.
#pragma once
#include "engine/io/weights_file.hpp"

namespace chiaro::bench {

// Always the same. Filters keep the variance of what they see (He et al. 2015, arXiv:1502.01852), batch norms
// are close to the identity: features and their gradients stay of the order of 1.
WeightsFile random_depth_network();

}  // namespace chiaro::bench
