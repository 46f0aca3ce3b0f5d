// The one door for weights: a path in, a network's parameters out, whatever format the file has.
#pragma once
#include <filesystem>
#include <string>

#include "engine/io/weights_file.hpp"
#include "weights_import/import_options.hpp"

namespace chiaro {

// Loads a network of the given kind (a name of layers/networks/networks.hpp). The format is told from the contents, never from
// the name: chiaro's own file, Keras HDF5, PyTorch (zip and legacy), safetensors, NumPy dictionary, MATLAB
// (MatConvNet). Throws Error when the file holds another network or no reader knows its format, naming what
// it is and what can be read.
WeightsFile load_network(const std::filesystem::path& path, const std::string& kind,
                         const ImportOptions& options = {});

}  // namespace chiaro
