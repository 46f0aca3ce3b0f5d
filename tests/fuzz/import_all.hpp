// Tries to make every kind of network of an opened file.
#pragma once
#include "engine/io/weights_file.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/networks.hpp"
#include "weights_import/network_imports.hpp"

inline void import_all(const chiaro::TensorFile& file) {
  for (const auto& kind : chiaro::network_names()) {
    try {
      chiaro::import_network(file, std::string(kind), {.preprocess = "torch", .padding = "nyu"});
    } catch (const chiaro::Error&) {
    }
  }
}
