// The one table of kinds of networks: what is known of each, by the name that a weights file gives it.
//
// A new kind is a folder beside this file with its description, a row in networks.cpp, and its test; what can
// be done with it besides (loss_network.cpp) the compiler asks for.
#pragma once
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/io/weights_file.hpp"
#include "layers/networks/parameters.hpp"
#include "layers/networks/resnet_upproj/resnet_upproj.hpp"
#include "layers/networks/transform_net/transform_net.hpp"
#include "layers/networks/vgg/vgg.hpp"

namespace chiaro {

using Network = std::variant<TransformNet, Vgg, ResnetUpproj>;

struct NetworkKind {
  std::string_view name;  // "vgg19"
  bool is_loss_network;   // losses can look through it
  // The description that a weights file has of its network; `file` is for messages.
  Network (*describe)(const WeightsFile& weights, const std::string& file);
};

// In the order in which they are listed to people.
const std::vector<NetworkKind>& network_kinds();
std::vector<std::string> network_names();
std::vector<std::string> loss_network_names();

// An Error that begins with `file` for an unknown name.
const NetworkKind& network_kind(std::string_view name, const std::string& file);

// The network of a weights file: any of the above.
Network describe(const WeightsFile& weights, const std::string& file);
std::vector<std::string> feature_names(const Network& network);  // none of a transform network
std::vector<ParameterShape> parameters(const Network& network);
std::vector<TensorMapping> state_dict(const Network& network);

}  // namespace chiaro
