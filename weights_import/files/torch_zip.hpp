// State dicts as torch.save writes them since PyTorch 1.6: a zip archive with <prefix>/data.pkl, the values
// in <prefix>/data/<key>, one entry per storage.
#pragma once
#include <filesystem>
#include <memory>

#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

// Checks all names, shapes and sizes; see find_torch_tensors() for which tensors it offers. TorchScript
// archives, .npz and other zip files are Errors that say so.
std::unique_ptr<TensorFile> open_torch_zip(const std::filesystem::path& path);

}  // namespace chiaro
