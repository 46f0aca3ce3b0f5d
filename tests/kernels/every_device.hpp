// The device on which a program of tests runs ops, and memory there. A test of an op is written once and
// calls its public functions; test_kernels runs it on the CPU, test_kernels_emulated on the emulator's GPU
// (kernels_emulated/emulated_device.cpp), test_kernels_gpu on one that is there.
#pragma once
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "kernels/base/memory.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro::testing {

using Bytes = std::vector<unsigned char>;
using Words = std::vector<std::string>;

struct DeviceUnderTest {
  Device device = Device::Cpu;
  // What only the emulator can do; null elsewhere.
  std::string (*compare_orders)(const std::function<Bytes()>& run) = nullptr;  // "" if all have the same bits
  void (*check_barriers)(const std::function<Bytes()>& run, int unneeded) = nullptr;
  Words (*launches_of)(const std::function<void()>& run) = nullptr;
  void (*watch)(const void* memory, std::size_t bytes, std::size_t element) = nullptr;
  void (*forget)(const void* memory) = nullptr;
};
inline DeviceUnderTest& device_under_test() {
  static DeviceUnderTest device;
  return device;
}
inline bool on_cpu() {
  return device_under_test().device == Device::Cpu;
}
inline Context context_under_test(int threads = 1) {
  return Context(device_under_test().device, threads);
}

// An array of exactly `count` elements in the device's memory. AddressSanitizer guards its end, the race
// detector watches it. `offset` elements are left out in front, to test unaligned arrays.
template <class T>
class OpArray {
 public:
  // Filled with 0xFF bytes: NaN, -1.
  OpArray(Context& context, std::int64_t count, std::int64_t offset = 0)
      : OpArray(context, std::vector<T>(), count, offset) {}
  OpArray(Context& context, const std::vector<T>& values, std::int64_t offset = 0)
      : OpArray(context, values, static_cast<std::int64_t>(values.size()), offset) {}
  OpArray(const OpArray&) = delete;
  OpArray& operator=(const OpArray&) = delete;
  ~OpArray() {
    if (device_under_test().forget) device_under_test().forget(memory_.get());
  }

  T* data() const { return reinterpret_cast<T*>(memory_.get()) + offset_; }
  std::int64_t count() const { return count_; }
  std::vector<T> host() const {
    std::vector<T> values(static_cast<std::size_t>(count_));
    copy_async(context_, values.data(), data(), count_ * std::int64_t(sizeof(T)));
    synchronize(context_);
    return values;
  }
  T first() const { return host()[0]; }
  TensorView view(const Shape& shape) const {
    REQUIRE(shape.count() == count_);
    return {data(), dtype_of<T>, shape};
  }

 private:
  OpArray(Context& context, const std::vector<T>& values, std::int64_t count, std::int64_t offset)
      : context_(context), count_(count), offset_(offset) {
    const std::int64_t bytes = (count + offset) * std::int64_t(sizeof(T));
    const bool cpu = context.device() == Device::Cpu;
    // On the CPU no byte more than asked for.
    std::byte* memory =
        cpu ? static_cast<std::byte*>(::operator new (std::size_t(bytes), std::align_val_t{64}))
            : allocate(MemoryKind::Device, bytes, "a test's array");
    memory_ = {memory, cpu ? free_host : free_device};
    if (device_under_test().watch && bytes > 0)
      device_under_test().watch(memory, std::size_t(bytes), sizeof(T));
    fill_async(context, memory, 0xFF, bytes);
    if (!values.empty()) copy_async(context, data(), values.data(), std::int64_t(values.size() * sizeof(T)));
    synchronize(context);
  }
  static void free_host(std::byte* memory) { ::operator delete (memory, std::align_val_t{64}); }
  static void free_device(std::byte* memory) { release(MemoryKind::Device, memory); }

  Context& context_;
  std::int64_t count_, offset_;
  std::unique_ptr<std::byte, void (*)(std::byte*)> memory_{nullptr, free_host};
};

// A workspace of so many bytes, and a view of no memory where they are 0.
class Workspace {
 public:
  Workspace(Context& context, std::int64_t bytes) : array_(context, (bytes + 7) / 8) {}
  void* data() const { return array_.data(); }

 private:
  OpArray<double> array_;
};

// Everything that an op wrote, as bytes, for check_every_order.
class OpBits {
 public:
  template <class T>
  OpBits& operator<<(const OpArray<T>& array) {
    const auto values = array.host();
    const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
    bytes_.insert(bytes_.end(), bytes, bytes + values.size() * sizeof(T));
    return *this;
  }
  operator Bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

// run(context) makes its arrays, calls ops, checks and returns OpBits. Neither a second run nor another order
// of the work may change a bit: other numbers of threads on the CPU, other schedules in the emulator; there
// but one where the arrays are large.
template <class Run>
void check_every_order(Run&& run, std::int64_t elements = 0) {
  constexpr std::int64_t kLarge = 10000;
  if (device_under_test().compare_orders && elements > kLarge) {
    Context context = context_under_test();
    run(context);
    return;
  }
  if (device_under_test().compare_orders) {
    CHECK(device_under_test().compare_orders([&]() -> Bytes {
      Context context = context_under_test();
      return run(context);
    }) == "");
    return;
  }
  Bytes first;
  for (const int threads : {1, 1, 2, 4}) {
    Context context = context_under_test(threads);
    const Bytes bits = run(context);
    if (first.empty()) first = bits;
    CHECK_MESSAGE(bits == first, threads, " threads");
  }
}

// In the emulator: leaves out every barrier that run(context) passes, one at a time; each time some schedule
// must give other bits or an error. `unneeded`: barriers that this run could do without.
template <class Run>
void check_barriers_are_needed(Run&& run, int unneeded = 0) {
  if (!device_under_test().check_barriers) return;
  device_under_test().check_barriers(
      [&]() -> Bytes {
        Context context = context_under_test();
        return run(context);
      },
      unneeded);
}

// In the emulator: the kernels that a call launches are these.
template <class Call>
void check_launches(const Words& expected, Context& context, Call&& call) {
  const auto all = [&] {
    call();
    synchronize(context);
  };
  if (device_under_test().launches_of)
    CHECK(device_under_test().launches_of(all) == expected);
  else
    all();
}

}  // namespace chiaro::testing
