// Fixed blocks of a flat range, and per-channel values laid out for vector loops.
//
// Block boundaries depend on the range alone, never on the number of threads, so sums of per-block results
// that are added in block order give the same bits with any number of threads.
#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernels/base/bf16.hpp"
#include "kernels/base/parallel.hpp"

namespace chiaro {

// Elements per block of elementwise CPU loops: 64 KiB of fp32.
inline constexpr std::int64_t kElementBlock = 16384;

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// Calls body(block, begin, end) in parallel for every block of [0, count).
template <class Body>
void parallel_blocks(std::int64_t count, std::int64_t block_size, Body&& body) {
  parallel_for(divide_up(count, block_size), [&](std::int64_t block) {
    const std::int64_t begin = block * block_size;
    body(block, begin, std::min(begin + block_size, count));
  });
}

// What reference templates add up in: double for double, else float.
template <class T>
using Accumulator = std::conditional_t<std::is_same_v<T, double>, double, float>;

// to = value, rounded to T. A bf16 is stored by its bits: GCC does not vectorize loops that copy the struct.
template <class T>
inline void store(T& to, float value) {
  if constexpr (std::is_same_v<T, bf16>)
    to.bits = bf16(value).bits;
  else
    to = value;
}

// The gradient `value` into `to`, overwritten or added.
template <class T>
inline void store_gradient(T& to, float value, bool accumulate) {
  store(to, accumulate ? float(to) + value : value);
}

// Channel values repeated over whole pixels, so that an inner loop of `length` elements stays long when C is
// small.
class ChannelPattern {
 public:
  explicit ChannelPattern(std::int64_t channels) {
    for (length_ = channels; length_ < 256;) length_ *= 2;
  }
  std::int64_t length() const { return length_; }
  std::vector<float> repeat(const float* values, std::int64_t channels) const {
    std::vector<float> result(static_cast<std::size_t>(length_));
    for (std::int64_t i = 0; i < length_; ++i) result[i] = values[i % channels];
    return result;
  }
  // Calls body(offset, size) in parallel for runs of at most length() elements that start at channel 0.
  template <class Body>
  void for_each_run(std::int64_t count, Body&& body) const {
    const std::int64_t block = divide_up(kElementBlock, length_) * length_;
    parallel_blocks(count, block, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; i += length_) body(i, std::min(length_, end - i));
    });
  }

 private:
  std::int64_t length_ = 0;
};

}  // namespace chiaro
