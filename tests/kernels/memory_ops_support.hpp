// What the tests of the memory-bound ops share: guarded tensors, fills, error measures.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/base/tensor.hpp"

namespace chiaro::memory_ops {

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

// ||exact - other||^2 / ||exact||^2
inline double nmse(const std::vector<double>& exact, const std::vector<double>& other) {
  REQUIRE(exact.size() == other.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    difference += (exact[i] - other[i]) * (exact[i] - other[i]);
    norm += exact[i] * exact[i];
  }
  return norm > 0 ? difference / norm : difference;
}

inline double max_error(const std::vector<double>& exact, const std::vector<double>& other) {
  REQUIRE(exact.size() == other.size());
  double error = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double e = std::abs(exact[i] - other[i]);
    if (std::isnan(e)) return e;
    error = std::max(error, e);
  }
  return error;
}

// The bound for fp32 results against double; n: length of the longest sum.
inline double fp32_bound(std::int64_t n) {
  return 1e-15 * double(n > 100 ? n : 100);
}

// The bound for bf16 results: twice the error of the plain loops in bf16.
inline double bf16_bound(const std::vector<double>& exact, const std::vector<double>& reference) {
  return 2 * max_error(exact, reference) + 1e-5;
}

// Checks analytic gradients against central differences of loss() with respect to every element of x.
template <class Loss>
void check_gradient(std::vector<double>& x, const std::vector<double>& gradient, Loss&& loss) {
  constexpr double kStep = 1e-5;
  double scale = 0;
  for (double g : gradient) scale = std::max(scale, std::abs(g));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double original = x[i];
    x[i] = original + kStep;
    const double above = loss();
    x[i] = original - kStep;
    const double below = loss();
    x[i] = original;
    INFO("element ", i);
    CHECK(std::abs((above - below) / (2 * kStep) - gradient[i]) <= 1e-6 * std::max(1.0, scale));
  }
}

inline double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// The text of the Error that f throws, or "".
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

}  // namespace chiaro::memory_ops
