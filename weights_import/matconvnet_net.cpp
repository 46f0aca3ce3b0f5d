#include "weights_import/matconvnet_net.hpp"

#include <algorithm>

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

const MatValue& matconvnet_network(const MatFile& file, const std::string& expected) {
  const MatValue& variables = file.variables();
  if (variables.field("layers")) return variables;
  for (const MatValue& variable : variables.items) {
    if (variable.field("layers")) return variable;
  }
  std::vector<std::string> names;
  for (const std::string& name : variables.fields) {
    if (!name.empty() && names.size() < 8) names.push_back(name);
  }
  throw Error("{}: is not a MatConvNet network: no variable has 'layers', found {}; expected {}", file.file(),
              names.empty() ? "no variables" : listed(names), expected);
}

const MatValue* mat_find(const MatValue& value, std::initializer_list<std::string_view> path) {
  const MatValue* found = &value;
  for (const std::string_view name : path) {
    if (found) found = found->field(name);
  }
  return found;
}

std::vector<std::int64_t> filter_shape(const MatValue& filters) {
  std::vector<std::int64_t> shape = filters.shape;
  while (shape.size() < 4) shape.push_back(1);
  return shape;
}

std::vector<float> filters_krsc(const MatFile& file, const MatValue& filters) {
  const std::vector<float> rsck = file.floats(filters);
  const std::int64_t K = filter_shape(filters)[3];
  const std::int64_t RSC = static_cast<std::int64_t>(rsck.size()) / std::max<std::int64_t>(K, 1);
  std::vector<float> krsc(rsck.size());
  for (std::int64_t k = 0; k < K; ++k) {
    for (std::int64_t i = 0; i < RSC; ++i) krsc[k * RSC + i] = rsck[i * K + k];
  }
  return krsc;
}

}  // namespace chiaro
