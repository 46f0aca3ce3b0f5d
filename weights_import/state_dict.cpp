#include "weights_import/state_dict.hpp"

#include <algorithm>
#include <map>

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/networks.hpp"

namespace chiaro {
namespace {

using Dims = std::vector<std::int64_t>;

std::string text(const Dims& shape) {
  std::vector<std::string> parts;
  for (const std::int64_t extent : shape) parts.push_back(std::to_string(extent));
  return "(" + listed(parts, ",") + ")";
}

// The places of tensors (things with a name and a shape) in a list; each is taken once, by its name and
// shape.
class TensorTable {
 public:
  template <class Tensor>
  TensorTable(const std::vector<Tensor>& tensors, const std::string& where) : where_(where) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (!table_.emplace(tensors[i].name, Place{i, &tensors[i].shape}).second)
        throw Error("{}: two tensors are named '{}'", where, tensors[i].name);
    }
  }

  std::size_t take(const std::string& name, const Dims& shape) {
    const auto found = table_.find(name);
    if (found == table_.end()) {
      std::vector<std::string> names;
      for (const auto& entry : table_) names.push_back(entry.first);
      throw Error("{}: no tensor '{}'{}", where_, name, did_you_mean(name, names));
    }
    const Place place = found->second;
    if (*place.shape != shape)
      throw Error("{}: tensor '{}' has shape {}, expected {}", where_, name, text(*place.shape), text(shape));
    table_.erase(found);
    return place.index;
  }

  void ignore(const std::string& name) { table_.erase(name); }

  void expect_empty() const {
    if (!table_.empty())
      throw Error("{}: tensor '{}' belongs to no layer of this network", where_, table_.begin()->first);
  }

 private:
  struct Place {
    std::size_t index;
    const Dims* shape;
  };
  std::map<std::string, Place> table_;
  const std::string& where_;
};

// Swaps the last two of the dimensions (a, m, n): (a,r*s,b) to (a,b,r*s) and back.
std::vector<float> swapped(const std::vector<float>& values, std::int64_t a, std::int64_t m, std::int64_t n) {
  std::vector<float> result(values.size());
  for (std::int64_t i = 0; i < a; ++i)
    for (std::int64_t j = 0; j < m; ++j)
      for (std::int64_t k = 0; k < n; ++k) result[(i * n + k) * m + j] = values[(i * m + j) * n + k];
  return result;
}

void check_size(const TensorMapping& mapping, const std::vector<float>& values) {
  require(std::ssize(values) == mapping.count(), "state dict: {} values for '{}' of shape {}", values.size(),
          mapping.foreign, text(mapping.native_shape));
}

}  // namespace

NamedTensor to_foreign(const TensorMapping& mapping, const std::vector<float>& values) {
  check_size(mapping, values);
  const Dims& shape = mapping.native_shape;
  if (mapping.layout == TensorLayout::OutputLast)
    return {mapping.foreign, mapping.foreign_shape(),
            swapped(values, 1, shape[0], shape[1] * shape[2] * shape[3])};
  if (mapping.layout != TensorLayout::ChannelsLast) return {mapping.foreign, shape, values};
  return {mapping.foreign, mapping.foreign_shape(), swapped(values, shape[0], shape[1] * shape[2], shape[3])};
}

NamedTensor to_native(const TensorMapping& mapping, const std::vector<float>& values) {
  require(mapping.layout != TensorLayout::Zeros, "state dict: '{}' has no counterpart", mapping.foreign);
  check_size(mapping, values);
  if (mapping.layout == TensorLayout::Same) return {mapping.native, mapping.native_shape, values};
  const Dims& shape = mapping.native_shape;
  if (mapping.layout == TensorLayout::OutputLast)
    return {mapping.native, shape, swapped(values, 1, shape[1] * shape[2] * shape[3], shape[0])};
  return {mapping.native, shape, swapped(values, shape[0], shape[3], shape[1] * shape[2])};
}

std::vector<NamedTensor> to_state_dict(const WeightsFile& weights) {
  const std::string where = "the network of kind '" + weights.kind + "'";
  TensorTable table(weights.parameters, where);
  std::vector<NamedTensor> result;
  for (const TensorMapping& m : state_dict(describe(weights, where))) {
    if (m.layout == TensorLayout::Zeros)
      result.push_back(
          {m.foreign, m.foreign_shape(), std::vector<float>(static_cast<std::size_t>(m.count()))});
    else
      result.push_back(to_foreign(m, weights.parameters[table.take(m.native, m.native_shape)].values));
  }
  table.expect_empty();
  return result;
}

std::vector<NamedTensor> from_state_dict(const std::vector<TensorMapping>& mappings, const TensorFile& file) {
  TensorTable table(file.tensors(), file.file());
  std::vector<NamedTensor> result;
  for (const TensorMapping& m : mappings) {
    if (m.layout == TensorLayout::Zeros)
      table.ignore(m.foreign);
    else
      result.push_back(to_native(m, file.read(table.take(m.foreign, m.foreign_shape()))));
  }
  table.expect_empty();
  return result;
}

}  // namespace chiaro
