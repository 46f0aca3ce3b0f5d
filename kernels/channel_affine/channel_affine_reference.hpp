// The formulas of channel_affine.hpp in plain loops.
#pragma once
#include "kernels/channel_affine/channel_affine.hpp"
#include "kernels/common/blocks.hpp"

namespace chiaro::channel_affine::reference {

template <class T>
void forward(const T* x, Shape s, const Accumulator<T>* mean, const Accumulator<T>* scale, T* y) {
  using A = Accumulator<T>;
  for (std::int64_t p = 0; p < s.n * s.pixels(); ++p)
    for (std::int64_t c = 0; c < s.c; ++c) y[p * s.c + c] = T((A(x[p * s.c + c]) - mean[c]) * scale[c]);
}

template <class T>
void backward(const T* dy, Shape s, const Accumulator<T>* scale, T* dx, bool accumulate) {
  using A = Accumulator<T>;
  for (std::int64_t p = 0; p < s.n * s.pixels(); ++p)
    for (std::int64_t c = 0; c < s.c; ++c) {
      const std::int64_t i = p * s.c + c;
      dx[i] = T((accumulate ? A(dx[i]) : A(0)) + A(dy[i]) * scale[c]);
    }
}

}  // namespace chiaro::channel_affine::reference
