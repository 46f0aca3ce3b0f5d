// State dicts as torch.save wrote them before PyTorch 1.6: five pickles in a row (a magic number, the protocol version,
// facts about the system, the object, the keys of the storages), then each storage as an int64 count and its values,
// always little-endian.
// Source: torch/serialization.py, _legacy_save.
#pragma once
#include <memory>

#include "engine/io/input_file.hpp"
#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

// Checks all names, shapes, sizes and that every storage lies in the file. A pickle of anything else is an
// Error.
std::unique_ptr<TensorFile> open_torch_legacy(std::unique_ptr<InputFile> input);

// True of tar archives, in which PyTorch stored weights before version 0.1.10.
bool is_torch_tar(const InputFile& input);

}  // namespace chiaro
