// Small vectorized loops around library convolutions. count: elements.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/base/parallel.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::conv2d {

inline constexpr int64_t kElementsPerTask = 16384;

template <class Body>  // body(begin, end)
void for_ranges(int64_t count, Body&& body) {
  parallel_for((count + kElementsPerTask - 1) / kElementsPerTask,
               [&](int64_t i) { body(i * kElementsPerTask, std::min(count, (i + 1) * kElementsPerTask)); });
}

// to += from
template <class T>
void add_to(T* to, const T* from, int64_t count) {
  for_ranges(count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = T(float(to[i]) + float(from[i]));
  });
}
void add_to(DType dtype, void* to, const void* from, int64_t count);

// to = from, rounded
inline void round_to_bf16(bf16* to, const float* from, int64_t count) {
  for_ranges(count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = bf16(from[i]);
  });
}

}  // namespace chiaro::conv2d
