#include "engine/param_io.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>

#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

std::vector<std::int64_t> file_shape(const Shape& s) {
  if (s.n == 1 && s.h == 1 && s.w == 1) return {s.c};
  return {s.n, s.h, s.w, s.c};
}

}  // namespace

void load_parameters(ParamStore& store, const std::vector<NamedTensor>& tensors, const std::string& file) {
  std::unordered_map<std::string, const NamedTensor*> by_name;
  for (const auto& t : tensors) by_name[t.name] = &t;
  for (std::size_t i = 0; i < store.entries().size(); ++i) {
    const auto& entry = store.entries()[i];
    const auto it = by_name.find(entry.name);
    if (it == by_name.end()) throw Error("{}: tensor '{}' is missing", file, entry.name);
    const auto expected = file_shape(entry.shape);
    if (it->second->shape != expected)
      throw Error("{}: tensor '{}' has shape ({}), expected ({})", file, entry.name,
                  fmt::join(it->second->shape, ","), fmt::join(expected, ","));
    std::copy(it->second->values.begin(), it->second->values.end(), store.value(static_cast<int>(i)));
  }
  store.values_changed();
}

std::vector<NamedTensor> save_slab(const ParamStore& store, std::span<const float> slab) {
  std::vector<NamedTensor> tensors;
  for (const auto& entry : store.entries()) {
    const float* first = slab.data() + entry.offset;
    tensors.push_back({entry.name, file_shape(entry.shape), {first, first + entry.shape.count()}});
  }
  return tensors;
}

std::vector<NamedTensor> save_parameters(const ParamStore& store) {
  return save_slab(store, store.values());
}

}  // namespace chiaro
