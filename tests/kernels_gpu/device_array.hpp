// Values on the GPU: up on construction, down on request.
#pragma once
#include <vector>

#include "engine/buffer.hpp"
#include "kernels/base/bf16.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::gpu {

class DeviceArray {
 public:
  // Filled with 0xFF bytes: NaN.
  DeviceArray(Context& context, std::int64_t bytes)
      : context_(context), buffer_(bytes, "a test's array", MemoryKind::Device) {
    fill_async(context_, buffer_.data(), 0xff, bytes);
  }
  template <class T>
  DeviceArray(Context& context, const std::vector<T>& values)
      : DeviceArray(context, static_cast<std::int64_t>(values.size() * sizeof(T))) {
    copy_async(context_, buffer_.data(), values.data(), buffer_.bytes());
    synchronize(context_);
  }

  void* data() const { return buffer_.data(); }
  float* floats() const { return buffer_.as<float>(); }
  template <class T>
  std::vector<T> host() const {
    std::vector<T> values(static_cast<std::size_t>(buffer_.bytes()) / sizeof(T));
    copy_async(context_, values.data(), buffer_.data(), buffer_.bytes());
    synchronize(context_);
    return values;
  }

 private:
  Context& context_;
  Buffer buffer_;
};

}  // namespace chiaro::gpu
