// Guarded tensors and their fills, for the tests of the memory-bound ops.
#pragma once
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/base/tensor.hpp"
#include "tests/support/compare.hpp"

namespace chiaro::memory_ops {

using namespace chiaro::test;

// A dense tensor followed by sentinels that no op may touch.
template <class T>
class Dense {
 public:
  static constexpr std::int64_t kGuard = 32;

  explicit Dense(const Shape& shape_) : shape(shape_), values(shape_.count() + kGuard, T(-7777.0f)) {}
  ~Dense() {
    for (std::int64_t i = 0; i < kGuard; ++i) CHECK(float(values[shape.count() + i]) == float(T(-7777.0f)));
  }
  Dense(const Dense&) = default;

  operator TensorView() { return {values.data(), dtype_of<T>, shape}; }
  operator ConstTensorView() const { return {values.data(), dtype_of<T>, shape}; }
  T* data() { return values.data(); }
  const T* data() const { return values.data(); }
  std::int64_t count() const { return shape.count(); }
  std::vector<double> doubles() const { return {values.begin(), values.begin() + shape.count()}; }
  bool same_bits(const Dense& other) const {
    return std::memcmp(values.data(), other.values.data(), shape.count() * sizeof(T)) == 0;
  }

  void fill_normal(unsigned seed, float mean = 0, float deviation = 1) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(mean, deviation);
    for (std::int64_t i = 0; i < shape.count(); ++i) values[i] = T(normal(random));
  }
  void fill_integers(unsigned seed, int low = -4, int high = 4) {
    std::mt19937 random(seed);
    for (std::int64_t i = 0; i < shape.count(); ++i)
      values[i] = T(float(low + int(random() % (high - low + 1))));
  }

  Shape shape;
  std::vector<T> values;
};

inline std::vector<double> random_doubles(std::int64_t count, unsigned seed, double mean = 0,
                                          double deviation = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(mean, deviation);
  std::vector<double> values(count);
  for (double& v : values) v = normal(random);
  return values;
}

template <class T>
std::vector<double> to_doubles(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

}  // namespace chiaro::memory_ops
