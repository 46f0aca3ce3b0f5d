// What the tests of CUDA kernels under emulation share: memory that a kernel may access, and the check that
// every schedule of threads and blocks gives the same bits.
#pragma once
#include <doctest/doctest.h>

#include <cstring>
#include <memory_resource>
#include <string>
#include <vector>

#include "kernels/base/bf16.hpp"
#include "kernels/base/tensor.hpp"
#include "tests/simt/runtime.hpp"
#include "tests/simt/schedule.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/random_values.hpp"

namespace chiaro::emulated {

using namespace chiaro::test;

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

// Leaves out every barrier that run() passes, one at a time: each time some schedule must give other bits or
// an error. run() checks nothing itself. `unneeded`: barriers that this run could do without.
template <class Run>
void check_barriers_are_needed(Run&& run, int unneeded = 0) {
  const simt::Schedule before = simt::current_schedule();
  simt::take_barrier_sites();
  const std::vector<unsigned char> right = run();
  const auto sites = simt::take_barrier_sites();
  CHECK(!sites.empty());
  int missed = 0;
  for (const simt::Site& site : sites) {
    bool found = false;
    simt::leave_out_barrier(&site);
    for (const simt::Schedule& schedule : simt::all_schedules()) {
      simt::current_schedule() = schedule;
      try {
        const std::vector<unsigned char> bits = run();
        found |= bits != right;
      } catch (const simt::Error&) {
        found = true;
      }
    }
    simt::leave_out_barrier(nullptr);
    missed += !found;
    if (!found && unneeded == 0) MESSAGE("the barrier at line ", site.line, " can be left out unnoticed");
  }
  simt::current_schedule() = before;
  CHECK(missed == unneeded);
}

// The launches of f, by name.
template <class F>
std::vector<std::string> launches_of(F&& f) {
  simt::take_launch_names();
  f();
  return simt::take_launch_names();
}

}  // namespace chiaro::emulated
