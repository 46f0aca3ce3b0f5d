// How results are compared with exact ones: the only home of error measures, bounds and gradient checks.
//
// Sequences are anything with size() and operator[]: vectors and spans of double, float or bf16.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/base/bf16.hpp"
#include "kernels/base/error.hpp"

namespace chiaro::test {

inline double as_double(double x) {
  return x;
}
inline double as_double(float x) {
  return x;
}
inline double as_double(bf16 x) {
  return float(x);
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
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += as_double(b[i]);
  return sum;
}

inline double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// ||exact - found||^2 / ||exact||^2; without the denominator where it is 0.
template <class Exact, class Found>
double nmse(const Exact& exact, const Found& found) {
  REQUIRE(exact.size() == found.size());
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double e = as_double(exact[i]), d = e - as_double(found[i]);
    error += d * d;
    norm += e * e;
  }
  return norm > 0 ? error / norm : error;
}

// The largest difference; NaN where a value is.
template <class Exact, class Found>
double max_error(const Exact& exact, const Found& found) {
  REQUIRE(exact.size() == found.size());
  double largest = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double error = std::abs(as_double(exact[i]) - as_double(found[i]));
    if (std::isnan(error)) return error;
    largest = std::max(largest, error);
  }
  return largest;
}

// Of contiguous sequences of one type.
template <class A, class B>
bool same_bits(const A& a, const B& b) {
  using T = std::remove_cvref_t<decltype(a[0])>;
  static_assert(std::is_same_v<T, std::remove_cvref_t<decltype(b[0])>>);
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// The project's criteria. fp32 by the NMSE, for sums of `length` terms; bf16 by twice the largest error of
// the plain loops at that precision.
inline double fp32_bound(std::int64_t length) {
  return 1e-15 * static_cast<double>(std::max<std::int64_t>(length, 100));
}
template <class Plain>
double bf16_bound(const std::vector<double>& exact, const Plain& plain) {
  return 2 * max_error(exact, plain) + 1e-5;
}
template <class T>
void check_close(const std::vector<double>& exact, const std::vector<T>& found, const std::vector<T>& plain,
                 std::int64_t length) {
  if constexpr (std::is_same_v<T, float>)
    CHECK(nmse(exact, found) <= fp32_bound(length));
  else
    CHECK(max_error(exact, found) <= bf16_bound(exact, plain));
}

// Central differences of the loss, in double, with respect to every element of x, against its gradient, which
// may not be 0 everywhere. loss: of x, or of nothing where it reads x itself.
template <class Loss>
void check_gradient(std::vector<double>& x, const std::vector<double>& gradient, Loss&& loss) {
  REQUIRE(x.size() == gradient.size());
  const auto value = [&] {
    if constexpr (std::is_invocable_v<Loss, const std::vector<double>&>)
      return loss(std::as_const(x));
    else
      return loss();
  };
  constexpr double h = 1e-5;
  double scale = 0;
  for (const double g : gradient) scale = std::max(scale, std::abs(g));
  CHECK(scale > 0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double before = x[i];
    x[i] = before + h;
    const double above = value();
    x[i] = before - h;
    const double below = value();
    x[i] = before;
    INFO("element ", i);
    CHECK(std::abs((above - below) / (2 * h) - gradient[i]) <= 1e-6 * scale);
  }
}
template <class Loss>
void check_gradient(const std::vector<double>& x, const std::vector<double>& gradient, Loss&& loss) {
  static_assert(std::is_invocable_v<Loss, const std::vector<double>&>,
                "a loss that reads x wants it to change");
  std::vector<double> changed = x;
  check_gradient(changed, gradient, loss);
}

// The text of the Error that a call throws, "" when it throws none. Other exceptions pass through.
template <class Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace chiaro::test
