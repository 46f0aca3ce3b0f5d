// What the tests of CUDA kernels under emulation share: memory that a kernel may access, and the check that
// every schedule of threads and blocks gives the same bits.
#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <memory_resource>
#include <random>
#include <string>
#include <vector>

#include "kernels/common/bf16.hpp"
#include "kernels/common/tensor_view.hpp"
#include "tests/simt/runtime.hpp"
#include "tests/simt/schedule.hpp"

namespace chiaro::emulated {

// An array of exactly `count` elements, 256-byte aligned as device memory is. AddressSanitizer guards both
// ends, the race detector watches it. `offset` elements are left out in front, to test unaligned arrays.
template <class T>
class DeviceArray {
 public:
  // Filled with 0xFF bytes: NaN, -1.
  explicit DeviceArray(std::int64_t count, std::int64_t offset = 0)
      : count_(static_cast<std::size_t>(count)),
        bytes_((count_ + static_cast<std::size_t>(offset)) * sizeof(T) + (count == 0 ? sizeof(T) : 0)),
        base_(std::pmr::new_delete_resource()->allocate(bytes_, kAlignment)),
        data_(static_cast<T*>(base_) + offset) {
    std::memset(base_, 0xFF, bytes_);
    simt::race_watch(base_, bytes_, sizeof(T));
  }
  explicit DeviceArray(const std::vector<T>& values, std::int64_t offset = 0)
      : DeviceArray(static_cast<std::int64_t>(values.size()), offset) {
    if (!values.empty()) std::memcpy(static_cast<void*>(data_), values.data(), values.size() * sizeof(T));
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() {
    simt::race_forget(base_);
    std::pmr::new_delete_resource()->deallocate(base_, bytes_, kAlignment);
  }

  T* data() const { return data_; }
  std::vector<T> host() const { return {data_, data_ + count_}; }
  TensorView view(const Shape& shape) const {
    REQUIRE(shape.count() == static_cast<std::int64_t>(count_));
    return {data_, dtype_of<T>, shape};
  }

 private:
  static constexpr std::size_t kAlignment = 256;
  std::size_t count_, bytes_;
  void* base_;
  T* data_;
};

// Everything that a launch wrote, as bytes, for compare_schedules.
class Bits {
 public:
  template <class T>
  Bits& operator<<(const DeviceArray<T>& array) {
    const auto values = array.host();
    const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
    bytes_.insert(bytes_.end(), bytes, bytes + values.size() * sizeof(T));
    return *this;
  }
  operator std::vector<unsigned char>() const { return bytes_; }

 private:
  std::vector<unsigned char> bytes_;
};

// run() makes its arrays, launches and returns Bits. No schedule may change a bit.
template <class Run>
void check_every_schedule(Run&& run) {
  CHECK(simt::compare_schedules([&]() -> std::vector<unsigned char> { return run(); }) == "");
}

// The launches of f, by name.
template <class F>
std::vector<std::string> launches_of(F&& f) {
  simt::take_launch_names();
  f();
  return simt::take_launch_names();
}

}  // namespace chiaro::emulated
