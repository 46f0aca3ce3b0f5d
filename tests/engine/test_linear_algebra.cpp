#include "engine/linear_algebra.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "tests/support/compare.hpp"

using namespace chiaro;
using test::error_of;

namespace {

Matrix random_matrix(std::int64_t rows, std::int64_t columns, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  Matrix m(rows, columns);
  for (double& value : m.values) value = normal(generator);
  return m;
}

double largest_difference(const Matrix& a, const Matrix& b) {
  REQUIRE(a.rows == b.rows);
  REQUIRE(a.columns == b.columns);
  double largest = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    largest = std::max(largest, std::abs(a.values[i] - b.values[i]));
  return largest;
}

Matrix identity(std::int64_t n) {
  Matrix m(n, n);
  for (std::int64_t i = 0; i < n; ++i) m(i, i) = 1;
  return m;
}

double trace(const Matrix& m) {
  double sum = 0;
  for (std::int64_t i = 0; i < m.rows; ++i) sum += m(i, i);
  return sum;
}

}  // namespace

TEST_CASE("product, transposed: a known case") {
  Matrix a(2, 3), b(3, 1);
  a.values = {1, 2, 3, 4, 5, 6};
  b.values = {1, 0, -1};
  CHECK(product(a, b).values == std::vector<double>{-2, -2});
  CHECK(transposed(a).values == std::vector<double>{1, 4, 2, 5, 3, 6});
  CHECK(error_of([&] { product(a, a); }) == "product: 2 x 3 times 2 x 3");
}

TEST_CASE("solve_positive: the equations hold, with a ridge and without") {
  for (const std::int64_t n : {1, 5, 60}) {
    const Matrix f = random_matrix(2 * n, n, 1), b = random_matrix(n, 3, 2);
    const Matrix m = product(transposed(f), f);
    for (const double ridge : {0.0, 0.1}) {
      Matrix with_ridge = m;
      for (std::int64_t i = 0; i < n; ++i) with_ridge(i, i) += ridge * trace(m) / double(n);
      CHECK(largest_difference(product(with_ridge, solve_positive(m, b, ridge)), b) < 1e-9);
    }
  }
}

TEST_CASE("solve_positive: a ridge takes a variable that is always 0, nothing else does") {
  Matrix m(2, 2);
  m(0, 0) = 4;
  CHECK(error_of([&] { solve_positive(m, identity(2), 0); }) ==
        "linear equations: not positive definite at variable 1");
  const Matrix x = solve_positive(m, identity(2), 1e-6);
  CHECK(x(0, 0) == doctest::Approx(0.25));
  CHECK(x(0, 1) == 0);
  CHECK(error_of([&] { solve_positive(m, Matrix(3, 1), 0); }) == "linear equations: 2 x 2 with 3 x 1");
}

// m = Q diag(values) Q^T with a random Q.
TEST_CASE("dominant_space: it holds what the largest eigenvalues hold") {
  for (const std::int64_t n : {1, 6, 80})
    for (const std::int64_t count : {std::int64_t{1}, (n + 1) / 2, n}) {
      CAPTURE(n);
      CAPTURE(count);
      const Matrix q = dominant_space(product(random_matrix(n, n, 3), transposed(random_matrix(n, n, 3))), n);
      REQUIRE(largest_difference(product(transposed(q), q), identity(n)) < 1e-12);
      Matrix scaled = q;
      double held = 0;
      for (std::int64_t j = 0; j < n; ++j) {
        const double value = std::pow(0.8, double(j));
        for (std::int64_t i = 0; i < n; ++i) scaled(i, j) *= value;
        if (j < count) held += value;
      }
      const Matrix m = product(scaled, transposed(q)), u = dominant_space(m, count);
      CHECK(largest_difference(product(transposed(u), u), identity(count)) < 1e-12);
      CHECK(trace(product(transposed(u), product(m, u))) == doctest::Approx(held).epsilon(1e-5));
    }
}

TEST_CASE("dominant_space: fewer dimensions than are asked for, and what is refused") {
  Matrix m(3, 3);
  m(1, 1) = 2;
  const Matrix u = dominant_space(m, 2);
  CHECK(std::abs(u(1, 0)) == doctest::Approx(1));
  CHECK(trace(product(transposed(u), product(m, u))) == doctest::Approx(2));
  CHECK(error_of([&] { dominant_space(Matrix(2, 3), 1); }) == "dominant space: 2 x 3 is not square");
  CHECK(error_of([&] { dominant_space(m, 4); }) == "dominant space: 4 of 3 dimensions");
  CHECK(error_of([&] { dominant_space(m, 0); }) == "dominant space: 0 of 3 dimensions");
}
