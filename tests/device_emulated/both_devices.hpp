// The same calls with a context of the CPU and with one of the GPU, and a comparison of all that they wrote.
#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/buffer.hpp"
#include "kernels/base/bf16.hpp"
#include "kernels/base/tensor.hpp"
#include "tests/support/random_values.hpp"

namespace chiaro::both_devices {

using namespace chiaro::test;

inline constexpr auto kOverwrite = GradientMode::Overwrite, kAccumulate = GradientMode::Accumulate;

// Arrays in the memory of one context's device. Those that an op writes are compared afterwards.
class Arrays {
 public:
  explicit Arrays(Context& context) : context_(context) {}

  // Read only.
  template <class T>
  T* input(const std::vector<T>& values) {
    return upload(values, nullptr);
  }
  template <class T>
  TensorView input(const Shape& shape, unsigned seed, float mean = 0) {
    return {input(normal_values<T>(shape.count(), seed, mean)), dtype_of<T>, shape};
  }
  // Read and written.
  template <class T>
  T* changed(const std::vector<T>& values) {
    return upload(values, [](const std::byte* bytes, std::int64_t count) {
      std::vector<double> result(static_cast<std::size_t>(count) / sizeof(T));
      for (std::size_t i = 0; i < result.size(); ++i) {
        T value;
        std::memcpy(static_cast<void*>(&value), bytes + i * sizeof(T), sizeof(T));
        if constexpr (std::is_same_v<T, bf16>)
          result[i] = double(float(value));
        else
          result[i] = double(value);
      }
      return result;
    });
  }
  template <class T>
  TensorView changed(const Shape& shape, unsigned seed) {
    return {changed(normal_values<T>(shape.count(), seed)), dtype_of<T>, shape};
  }
  // Written; NaN before.
  template <class T>
  T* output(std::int64_t count) {
    std::vector<T> values(static_cast<std::size_t>(count));
    std::memset(static_cast<void*>(values.data()), 0xFF, values.size() * sizeof(T));
    return changed(values);
  }
  template <class T>
  TensorView output(const Shape& shape) {
    return {output<T>(shape.count()), dtype_of<T>, shape};
  }
  void* workspace(std::int64_t bytes) {
    if (bytes == 0) return nullptr;
    arrays_.push_back({Buffer(bytes, "a test's workspace", compute_memory(context_)), nullptr});
    return arrays_.back().buffer.data();
  }

  // What was written, array by array, in order.
  std::vector<std::vector<double>> results() {
    std::vector<std::vector<double>> all;
    for (const Array& array : arrays_) {
      if (!array.read) continue;
      std::vector<std::byte> bytes(static_cast<std::size_t>(array.buffer.bytes()));
      copy_async(context_, bytes.data(), array.buffer.data(), array.buffer.bytes());
      synchronize(context_);
      all.push_back(array.read(bytes.data(), array.buffer.bytes()));
    }
    return all;
  }

 private:
  using Read = std::vector<double> (*)(const std::byte*, std::int64_t);
  struct Array {
    Buffer buffer;
    Read read;  // null for arrays that are not compared
  };

  template <class T>
  T* upload(const std::vector<T>& values, Read read) {
    const auto bytes = static_cast<std::int64_t>(values.size() * sizeof(T));
    arrays_.push_back({Buffer(bytes, "a test's array", compute_memory(context_)), read});
    copy_async(context_, arrays_.back().buffer.data(), values.data(), bytes);
    synchronize(context_);
    return arrays_.back().buffer.as<T>();
  }

  Context& context_;
  std::vector<Array> arrays_;
};

// How far two values of an array may be apart, in parts of its largest magnitude: sums in another order, and
// for bf16 a rounding that falls to the other side.
template <class T>
inline constexpr double kTolerance = std::is_same_v<T, bf16> ? 1.0 / 128 : 2e-6;

// Calls op(context, arrays) on both devices. NaN must be in the same places.
template <class Op>
void check_same(double tolerance, Op&& op) {
  const auto run = [&](Context context) {
    Arrays arrays(context);
    op(context, arrays);
    return arrays.results();
  };
  const auto cpu = run(Context(1)), gpu = run(Context(Device::Cuda, 1));
  REQUIRE(cpu.size() == gpu.size());
  REQUIRE(!cpu.empty());
  for (std::size_t a = 0; a < cpu.size(); ++a) {
    CAPTURE(a);
    double largest = 0, error = 0;
    std::size_t not_numbers = 0, missing = 0;
    for (std::size_t i = 0; i < cpu[a].size(); ++i) {
      not_numbers += std::isnan(gpu[a][i]);
      missing += std::isnan(cpu[a][i]) != std::isnan(gpu[a][i]);
      if (std::isnan(cpu[a][i]) || std::isnan(gpu[a][i])) continue;
      largest = std::max(largest, std::abs(cpu[a][i]));
      error = std::max(error, std::abs(cpu[a][i] - gpu[a][i]));
    }
    CHECK(missing == 0);
    CHECK(not_numbers < cpu[a].size());
    CHECK(error <= tolerance * largest);
  }
}

}  // namespace chiaro::both_devices
