// Checks of what ops are given besides tensors. Errors name the op and the argument.
#pragma once
#include <cstdint>

#include "kernels/base/error.hpp"

namespace chiaro {

inline void check_array(const char* op, const char* name, const float* array) {
  require(array != nullptr, "{}: {} is missing", op, name);
}

inline void check_workspace(const char* op, const void* workspace) {
  require(workspace != nullptr, "{}: the workspace is missing", op);
  require(reinterpret_cast<std::uintptr_t>(workspace) % alignof(double) == 0,
          "{}: the workspace is not aligned for double", op);
}

}  // namespace chiaro
