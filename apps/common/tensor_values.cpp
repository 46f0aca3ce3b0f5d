#include "apps/common/tensor_values.hpp"

#include <algorithm>

namespace chiaro {

std::vector<float> to_floats(ConstTensorView x) {
  std::vector<float> values(static_cast<std::size_t>(x.shape.count()));
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    std::copy_n(x.as<T>(), values.size(), values.begin());
  });
  return values;
}

}  // namespace chiaro
