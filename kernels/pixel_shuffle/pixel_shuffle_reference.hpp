// Textbook loops for pixel_shuffle.hpp. T: float, double or bf16; the sum runs in double for double, else in
// float.
#pragma once
#include <array>
#include <cstdint>
#include <type_traits>

#include "kernels/base/tensor.hpp"

namespace chiaro::pixel_shuffle::reference {

// One phase: a tensor of its own shape and where the window begins.
template <class Pointer>
struct Phase {
  Pointer data;
  Shape shape;
  std::int64_t row0 = 0, col0 = 0, channel0 = 0;

  auto& at(std::int64_t n, std::int64_t i, std::int64_t j, std::int64_t c) const {
    return data[((n * shape.h + i + row0) * shape.w + j + col0) * shape.c + channel0 + c];
  }
};

// y, add: (N,2I,2J,C) of shape `s`; add may be null.
template <class T>
void forward(const std::array<Phase<const T*>, 4>& sources, const T* add, T* y, const Shape& s, bool relu) {
  using Real = std::conditional_t<std::is_same_v<T, double>, double, float>;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t h = 0; h < s.h; ++h)
      for (std::int64_t w = 0; w < s.w; ++w)
        for (std::int64_t c = 0; c < s.c; ++c) {
          const std::int64_t at = ((n * s.h + h) * s.w + w) * s.c + c;
          Real value = sources[2 * (h % 2) + w % 2].at(n, h / 2, w / 2, c);
          if (add) value += Real(add[at]);
          y[at] = T(relu && value < 0 ? Real(0) : value);
        }
}

// Writes the windows only.
template <class T>
void backward(const T* dy, const std::array<Phase<T*>, 4>& targets, const Shape& s) {
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t h = 0; h < s.h; ++h)
      for (std::int64_t w = 0; w < s.w; ++w)
        for (std::int64_t c = 0; c < s.c; ++c)
          targets[2 * (h % 2) + w % 2].at(n, h / 2, w / 2, c) = dy[((n * s.h + h) * s.w + w) * s.c + c];
}

}  // namespace chiaro::pixel_shuffle::reference
