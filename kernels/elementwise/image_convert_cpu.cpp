#include "kernels/base/blocks.hpp"
#include "kernels/elementwise/image_convert.hpp"

namespace chiaro::image_convert::cpu {

namespace {

// Added to a small float it leaves no bits for a fraction: rounds to the nearest, halves to even, in vectors.
constexpr float kToIntegers = 12582912;  // 1.5 * 2^23

// Pointers by value: a byte that is written may alias whatever is reached through a reference.
template <class T>
void round_run(const T* from, std::uint8_t* to, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = from[i];
    const float positive = value > 0.f ? value : 0.f;  // NaN compares false: 0
    const float clamped = positive < 255.f ? positive : 255.f;
    to[i] = static_cast<std::uint8_t>(static_cast<int>((clamped + kToIntegers) - kToIntegers));
  }
}

}  // namespace

void to_tensor(const std::uint8_t* rgb, TensorView y) {
  visit_dtype(y.dtype, [&](auto zero) {
    auto* to = y.as<decltype(zero)>();
    parallel_blocks(y.shape.count(), kElementBlock, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) store(to[i], static_cast<float>(rgb[i]));
    });
  });
}

void to_bytes(ConstTensorView x, std::uint8_t* rgb) {
  visit_dtype(x.dtype, [&](auto zero) {
    const auto* from = x.as<decltype(zero)>();
    parallel_blocks(x.shape.count(), kElementBlock, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      round_run(from + begin, rgb + begin, end - begin);
    });
  });
}

}  // namespace chiaro::image_convert::cpu
