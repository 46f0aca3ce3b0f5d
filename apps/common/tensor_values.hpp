// Tensors as plain numbers.
#pragma once
#include <vector>

#include "kernels/common/tensor_view.hpp"

namespace chiaro {

// All values in memory order, as fp32 whatever the tensor's type.
std::vector<float> to_floats(ConstTensorView x);

}  // namespace chiaro
