// Loops over contiguous elements that the memory-bound CPU ops share, and the check of one tensor argument.
//
// Elements are fp32 or bf16, arithmetic is fp32. Source and destination may be the same array, not shifted
// against each other.
#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "kernels/base/tensor.hpp"

namespace chiaro {

// Stores through the bits: compilers vectorize this, but not the assignment of the class.
inline void store(float& y, float value) {
  y = value;
}
inline void store(bf16& y, float value) {
  y.bits = bf16(value).bits;
}

// y = x
template <class TX, class TY>
void copy_run(const TX* x, TY* y, std::int64_t count) {
  if constexpr (std::is_same_v<TX, TY>) {
    std::copy_n(x, count, y);
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) store(y[i], float(x[i]));
  }
}

// y += x
template <class TX, class TY>
void add_run(const TX* x, TY* y, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) store(y[i], float(y[i]) + float(x[i]));
}

template <class T>
void zero_run(T* y, std::int64_t count) {
  std::fill_n(y, count, T(0.0f));
}

// Throws Error unless the tensor is there and has this element type and shape.
inline void check_tensor(const char* op, const char* name, const ConstTensorView& t, DType dtype,
                         const Shape& shape) {
  require(bool(t), "{}: {} is missing", op, name);
  require(t.dtype == dtype, "{}: {} is {}, expected {}", op, name, name_of(t.dtype), name_of(dtype));
  require(t.shape == shape, "{}: {} has shape {}, expected {}", op, name, to_string(t.shape),
          to_string(shape));
}

// Throws Error unless the tensor is there and every extent is positive.
inline void check_present(const char* op, const char* name, const ConstTensorView& t) {
  require(bool(t), "{}: {} is missing", op, name);
  require(t.shape.n > 0 && t.shape.h > 0 && t.shape.w > 0 && t.shape.c > 0, "{}: {} has the empty shape {}",
          op, name, to_string(t.shape));
}

}  // namespace chiaro
