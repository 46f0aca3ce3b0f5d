// The one door for weights: a path in, a network's parameters out, whatever format the file has.
#pragma once
#include <filesystem>
#include <string>

#include "engine/io/weights_file.hpp"

namespace chiaro {

// Loads a network of the given kind (one of kNetworkKinds). The format is told from the contents, never from
// the name: chiaro's own file, or one that an importer of this folder reads for this kind. Throws Error when
// the file holds another network or no reader knows its format, naming what it is and what can be read.
WeightsFile load_network(const std::filesystem::path& path, const std::string& kind);

}  // namespace chiaro
