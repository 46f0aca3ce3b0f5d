// PyTorch's state dicts out of pickles.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "weights_import/files/pickle.hpp"
#include "weights_import/files/pickle_strided.hpp"
#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

// The tensors of a PyTorch state dict, found in its pickle. What both file formats have in common.
//
// torch.save pickles each tensor as a call such as torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...),
// in which the storage is a persistent id ('storage', type, key, location, count); the bytes of the storage lie
// elsewhere under its key.
// Source: torch/_utils.py, torch/serialization.py.

struct TorchStorage {
  std::string key;
  ElementType type = ElementType::U8;
  bool untyped = false;     // its elements are bytes, whatever its tensors are
  std::int64_t count = 0;   // of elements of type
  std::int64_t offset = 0;  // of a view into the storage, in elements: PyTorch before 0.4
};

struct TorchTensor {
  std::string name;
  TorchStorage storage;
  StridedTensor layout;
};

// One tensor in the pickle of torch.save.
bool is_torch_tensor(const PickleValue& value);

// Follows Parameters and subclasses to the tensor inside. Checks that it lies in its storage.
TorchTensor parse_torch_tensor(const PickleValue& value, const std::string& name, const std::string& file);

// The names that PyTorch's state dicts and checkpoints need; a whole pickled module has its own refusal.
PickleRules torch_pickle_rules();

// What a persistent id of the pickle says.
TorchStorage parse_torch_storage(const PickleValue& persistent_id, const std::string& file);

// The tensors of the dictionary itself or of the one under 'state_dict', 'model_state_dict', 'model', 'net',
// 'params', 'params_ema' or 'weights', or of the only dictionary of tensors in it, in its order; what is no tensor is left
// out. Errors, beginning with file: no tensors, a name twice, a tensor that does not lie in its storage.
std::vector<TorchTensor> find_torch_tensors(const Pickle& pickle, const std::string& file);

}  // namespace chiaro
