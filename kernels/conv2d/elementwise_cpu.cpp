#include "kernels/conv2d/elementwise.hpp"

namespace chiaro::conv2d {

void add_to(DType dtype, void* to, const void* from, int64_t count) {
  visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    add_to(static_cast<T*>(to), static_cast<const T*>(from), count);
  });
}

}  // namespace chiaro::conv2d
