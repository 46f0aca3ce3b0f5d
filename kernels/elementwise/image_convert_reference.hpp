// The conversions of image_convert.hpp in plain loops.
#pragma once
#include <cmath>

#include "kernels/base/blocks.hpp"
#include "kernels/elementwise/image_convert.hpp"

namespace chiaro::image_convert::reference {

template <class T>
void to_tensor(const std::uint8_t* rgb, std::int64_t count, T* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = T(static_cast<float>(rgb[i]));
}

template <class T>
void to_bytes(const T* x, std::int64_t count, std::uint8_t* rgb) {
  using A = Accumulator<T>;
  for (std::int64_t i = 0; i < count; ++i) {
    const A value = A(x[i]);
    const A clamped = std::isnan(value) || value < 0 ? A(0) : value > 255 ? A(255) : value;
    rgb[i] = static_cast<std::uint8_t>(std::nearbyint(clamped));
  }
}

}  // namespace chiaro::image_convert::reference
