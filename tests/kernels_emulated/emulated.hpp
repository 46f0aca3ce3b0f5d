// What the tests of CUDA kernels under emulation share: memory that a kernel may access, and the check that
// every schedule of threads and blocks gives the same bits.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory_resource>
#include <random>
#include <string>
#include <vector>

#include "kernels/base/bf16.hpp"
#include "kernels/base/tensor.hpp"
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

template <class T>
std::vector<T> normal_values(std::int64_t count, unsigned seed, float mean = 0, float deviation = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(mean, deviation);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& v : values) v = T(normal(random));
  return values;
}
// Small integers: sums and products of them are exact in fp32, the values in bf16 too.
template <class T>
std::vector<T> integer_values(std::int64_t count, unsigned seed, int low = -4, int high = 4) {
  std::mt19937 random(seed);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& v : values) v = T(float(low + int(random() % unsigned(high - low + 1))));
  return values;
}

template <class To, class From>
std::vector<To> convert(const std::vector<From>& from) {
  std::vector<To> to(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    if constexpr (std::is_same_v<From, bf16>)
      to[i] = To(float(from[i]));
    else
      to[i] = To(from[i]);
  }
  return to;
}

// a + b, in double
template <class A, class B>
std::vector<double> sum_of(const std::vector<A>& a, const std::vector<B>& b) {
  auto sum = convert<double>(a);
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += double(float(b[i]));
  return sum;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T>
double max_error(const std::vector<double>& exact, const std::vector<T>& found) {
  double error = exact.size() == found.size() ? 0 : HUGE_VAL;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double e = std::abs(exact[i] - double(float(found[i])));
    if (std::isnan(e)) return e;
    error = std::max(error, e);
  }
  return error;
}
template <class T>
double nmse(const std::vector<double>& exact, const std::vector<T>& found) {
  REQUIRE(exact.size() == found.size());
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double d = exact[i] - double(float(found[i]));
    error += d * d;
    norm += exact[i] * exact[i];
  }
  return norm > 0 ? error / norm : error;
}

// The project's criteria: fp32 by normalized error over sums of `length` terms, bf16 by twice the error of
// the plain loops at that precision.
template <class T>
void check_close(const std::vector<double>& exact, const std::vector<T>& found, const std::vector<T>& plain,
                 std::int64_t length) {
  if constexpr (std::is_same_v<T, float>)
    CHECK(nmse(exact, found) <= 1e-15 * double(length > 100 ? length : 100));
  else
    CHECK(max_error(exact, found) <= 2 * max_error(exact, plain) + 1e-5);
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
