// The matrix products of Winograd's convolutions: rows of transformed inputs times a block of transformed
// weights, by the vectors of the direct convolutions.
#pragma once
#include "kernels/conv2d/direct_vector.hpp"

namespace chiaro::conv2d::winograd {

using namespace direct;

// out (count, kBlock) = in (count, length) * w (length, kBlock); strides of rows in floats.
inline void multiply_rows(const float* in, int64_t in_stride, int64_t count, const float* w, int64_t length,
                          float* out, int64_t out_stride) {
  const auto rows = [&]<int N>(std::integral_constant<int, N>, int64_t first) {
    Vector sums[N][2] = {};
    multiply_run<N>(sums, in + first * in_stride, in_stride, w, length);
    for (int i = 0; i < N; ++i) {
      store(out + (first + i) * out_stride, sums[i][0]);
      store(out + (first + i) * out_stride + kLanes, sums[i][1]);
    }
  };
  int64_t i = 0;
  for (; i + kPixels <= count; i += kPixels) rows(std::integral_constant<int, kPixels>{}, i);
  for (; i + kPixels / 3 <= count; i += kPixels / 3) rows(std::integral_constant<int, kPixels / 3>{}, i);
  for (; i < count; ++i) rows(std::integral_constant<int, 1>{}, i);
}

}  // namespace chiaro::conv2d::winograd
