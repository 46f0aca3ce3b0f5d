// A loss network without values: enough to build a graph and plan its memory when the weights file is not at
// hand. Running it is not possible.
#pragma once
#include <memory>
#include <string>

#include "layers/nets/loss_network.hpp"

namespace chiaro {

// kind: "vgg19", "vgg16" or "resnet_upproj", at their standard widths.
std::unique_ptr<LossNetwork> declare_network(const std::string& kind);

}  // namespace chiaro
