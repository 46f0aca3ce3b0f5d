// What tests of training steps on the device share.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/settings.hpp"
#include "tests/support/hash_weights.hpp"

namespace chiaro::test {

// A batch of square pictures, another one for every step, as bytes.
inline std::vector<std::uint8_t> photos(int step, std::int64_t batch, std::int64_t size) {
  std::vector<std::uint8_t> bytes;
  for (std::int64_t i = 0; i < batch; ++i) {
    const auto photo =
        hash_picture("photo " + std::to_string(i) + " of step " + std::to_string(step), 1, size, size);
    bytes.insert(bytes.end(), photo.begin(), photo.end());
  }
  return bytes;
}

inline std::vector<float> copy_of(std::span<const float> values) {
  return {values.begin(), values.end()};
}

// While it lives, repeated work is called each time, never recorded.
class WithoutRecording {
 public:
  WithoutRecording() { settings().cuda_graph = false; }
  ~WithoutRecording() { settings().cuda_graph = true; }
};

}  // namespace chiaro::test
