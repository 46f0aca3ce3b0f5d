// Fills, comparisons and runners that the op tests share.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::testing {

template <class T>
std::vector<T> random_values(std::int64_t count, unsigned seed, double low = -1, double high = 1) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  std::vector<T> result(static_cast<std::size_t>(count));
  for (T& x : result) x = T(static_cast<float>(uniform(generator)));
  return result;
}

// Integers in [low, high]: sums of their products are exact in fp32.
template <class T>
std::vector<T> integer_values(std::int64_t count, unsigned seed, int low = -4, int high = 4) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> uniform(low, high);
  std::vector<T> result(static_cast<std::size_t>(count));
  for (T& x : result) x = T(static_cast<float>(uniform(generator)));
  return result;
}

template <class To, class From>
std::vector<To> convert(const std::vector<From>& from) {
  std::vector<To> result(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    if constexpr (std::is_same_v<From, bf16>)
      result[i] = To(float(from[i]));
    else
      result[i] = To(from[i]);
  }
  return result;
}

template <class T>
ConstTensorView view(const std::vector<T>& x, Shape shape) {
  REQUIRE(static_cast<std::int64_t>(x.size()) == shape.count());
  return {x.data(), dtype_of<T>, shape};
}
template <class T>
TensorView view(std::vector<T>& x, Shape shape) {
  REQUIRE(static_cast<std::int64_t>(x.size()) == shape.count());
  return {x.data(), dtype_of<T>, shape};
}

// ||exact - found||^2 / ||exact||^2
template <class T>
double nmse(const std::vector<double>& exact, const std::vector<T>& found) {
  REQUIRE(exact.size() == found.size());
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double d = exact[i] - double(float(found[i]));
    error += d * d;
    norm += exact[i] * exact[i];
  }
  return norm == 0 ? error : error / norm;
}

template <class T>
double max_error(const std::vector<double>& exact, const std::vector<T>& found) {
  double largest = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double error = std::abs(exact[i] - double(float(found[i])));
    if (std::isnan(error)) return error;
    largest = std::max(largest, error);
  }
  return largest;
}

// The project's criteria: fp32 by normalized error over sums of `length` terms, bf16 by twice the error of
// the plain loops at that precision.
template <class T>
void check_close(const std::vector<double>& exact, const std::vector<T>& found,
                 const std::vector<T>& reference, std::int64_t length) {
  if constexpr (std::is_same_v<T, float>)
    CHECK(nmse(exact, found) <= 1e-15 * static_cast<double>(std::max<std::int64_t>(length, 100)));
  else
    CHECK(max_error(exact, found) <= 2 * max_error(exact, reference) + 1e-5);
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// Runs `f(context)`, which returns a vector, twice with one thread and with two and four, and expects equal
// bits.
template <class F>
auto run_with_any_threads(F&& f) {
  Context one(1);
  auto result = f(one);
  CHECK(same_bits(result, f(one)));
  for (const int threads : {2, 4}) {
    Context context(threads);
    CHECK_MESSAGE(same_bits(result, f(context)), threads, " threads");
  }
  return result;
}

// Central differences of loss(x) against the gradient, in double.
template <class Loss>
void check_gradient(std::vector<double> x, const std::vector<double>& gradient, Loss&& loss) {
  REQUIRE(x.size() == gradient.size());
  constexpr double h = 1e-5;
  double scale = 0;
  for (const double g : gradient) scale = std::max(scale, std::abs(g));
  CHECK(scale > 0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double before = x[i];
    x[i] = before + h;
    const double above = loss(x);
    x[i] = before - h;
    const double below = loss(x);
    x[i] = before;
    CHECK(std::abs((above - below) / (2 * h) - gradient[i]) <= 1e-6 * scale);
  }
}

inline double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace chiaro::testing
