// Whole networks as safetensors files that other programs read: PyTorch's names and layout
// (state_dict.hpp) and, as metadata, what makes the file chiaro's own again:
//   format "pt"   chiaro.kind   chiaro.architecture   chiaro.preprocess   chiaro.provenance   (JSON as text)
// Reading such a file gives back the same WeightsFile bit for bit (half: rounded to half precision).
#pragma once
#include <filesystem>

#include "engine/io/weights_file.hpp"
#include "weights_import/files/safetensors.hpp"

namespace chiaro {

// Atomic; the same network gives the same bytes. Errors: what write_weights refuses, and tensors that are not
// those of the architecture.
void export_safetensors(const std::filesystem::path& path, const WeightsFile& weights, bool half = false);

// Whether the file says that it holds a network of chiaro. Others are mere state dicts.
bool holds_network(const SafetensorsFile& file);

// The network of a file for which holds_network() is true. Checks what read_weights checks.
WeightsFile read_network(const SafetensorsFile& file);

}  // namespace chiaro
