// The style network that a path means, checkpoints of a training among them.
#pragma once
#include <filesystem>

#include "engine/io/weights_file.hpp"

namespace chiaro {

// load_network() of a transform network. Of a checkpoint it is the network that the training would have ended with there:
// the averages of its weights, where it keeps them. Errors: those of load_network(), and a checkpoint that is damaged or of
// another task than "style".
WeightsFile load_style_network(const std::filesystem::path& path);

}  // namespace chiaro
