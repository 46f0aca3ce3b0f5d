// Between parameter stores and lists of named tensors.
#pragma once
#include <string>
#include <vector>

#include "engine/io/weights_file.hpp"
#include "engine/param_store.hpp"

namespace chiaro {

// Fills every parameter of an allocated store from the tensor of the same name. A vector (1,1,1,C) takes a
// tensor (C). Tensors that the store does not know are ignored. A missing tensor or another shape is an Error
// that names the file; the store is then in no defined state.
void load_parameters(ParamStore& store, const std::vector<NamedTensor>& tensors, const std::string& file);

// All parameters in order of declaration; vectors as (C).
std::vector<NamedTensor> save_parameters(const ParamStore& store);

// The same shapes with other values, for example gradients: `slab` is one of the store's.
std::vector<NamedTensor> save_slab(const ParamStore& store, std::span<const float> slab);

}  // namespace chiaro
