// One tensor in the pickle of torch.save.
#pragma once
#include <string>

#include "weights_import/files/torch_state_dict.hpp"

namespace chiaro {

bool is_torch_tensor(const PickleValue& value);

// Follows Parameters and subclasses to the tensor inside. Checks that it lies in its storage.
TorchTensor parse_torch_tensor(const PickleValue& value, const std::string& name, const std::string& file);

}  // namespace chiaro
