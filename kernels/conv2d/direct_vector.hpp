// The vectors of the direct convolutions: as wide as the instruction set that the file is compiled for has
// them.
#pragma once
#include <cstdint>

namespace chiaro::conv2d::direct {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16, kPixels = 12;  // kPixels x 2 vectors are accumulated in registers
#elif defined(__AVX__)
inline constexpr int kLanes = 8, kPixels = 6;
#else
inline constexpr int kLanes = 4, kPixels = 6;
#endif
inline constexpr int64_t kBlock = 2 * kLanes;  // output channels that are computed together

using Vector = float __attribute__((vector_size(4 * kLanes)));
using Unaligned = float __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

inline Vector load(const float* from) {
  return *reinterpret_cast<const Unaligned*>(from);
}
inline void store(float* to, Vector value) {
  *reinterpret_cast<Unaligned*>(to) = value;
}

// sums[i] += x[i * step + j] * w[j] over 0 <= j < length, for N values of x and a block of channels in w.
template <int N>
inline void multiply_run(Vector (&sums)[N][2], const float* x, int64_t step, const float* w, int64_t length,
                         int64_t x_stride = 1, int64_t w_stride = kBlock) {
  for (int64_t j = 0; j < length; ++j) {
    const Vector w0 = load(w + j * w_stride), w1 = load(w + j * w_stride + kLanes);
#pragma GCC unroll 12
    for (int i = 0; i < N; ++i) {
      const float value = x[i * step + j * x_stride];
      sums[i][0] += value * w0;
      sums[i][1] += value * w1;
    }
  }
}

}  // namespace chiaro::conv2d::direct
