#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "engine/linear_algebra.hpp"
#include "kernels/common/error.hpp"
#include "tests/support/error_of.hpp"

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

// a^T a
Matrix inner_products(const Matrix& a) {
  Matrix m(a.columns, a.columns);
  for (std::int64_t i = 0; i < a.columns; ++i)
    for (std::int64_t j = 0; j < a.columns; ++j)
      for (std::int64_t k = 0; k < a.rows; ++k) m(i, j) += a(k, i) * a(k, j);
  return m;
}

double largest_difference(const Matrix& a, const Matrix& b) {
  REQUIRE(a.values.size() == b.values.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    largest = std::max(largest, std::abs(a.values[i] - b.values[i]));
  return largest;
}

// Mean squared distance of f from B f[chosen], over samples in the rows of f.
double distance(const Matrix& f, const std::vector<std::int64_t>& chosen, const Matrix& b) {
  double sum = 0;
  for (std::int64_t s = 0; s < f.rows; ++s)
    for (std::int64_t i = 0; i < f.columns; ++i) {
      double d = f(s, i);
      for (std::int64_t j = 0; j < b.columns; ++j) d -= b(i, j) * f(s, chosen[static_cast<std::size_t>(j)]);
      sum += d * d;
    }
  return sum;
}

}  // namespace

TEST_CASE("triangular_factor: a known case") {
  Matrix a(3, 2);
  a.values = {3, 5, 0, 2, 4, 10};  // first column (3, 0, 4), second (5, 2, 10)
  const Matrix r = triangular_factor(a);
  CHECK(r(0, 0) == doctest::Approx(5));
  CHECK(r(0, 1) == doctest::Approx(11));
  CHECK(r(1, 0) == 0);
  CHECK(r(1, 1) == doctest::Approx(std::sqrt(8.0)));
}

TEST_CASE("triangular_factor: R is upper triangular with R^T R = a^T a and no negative diagonal") {
  for (const auto& [rows, columns] : {std::pair{1, 1}, {5, 5}, {40, 7}, {64, 16}}) {
    const Matrix a = random_matrix(rows, columns, 3);
    const Matrix r = triangular_factor(a);
    CHECK(largest_difference(inner_products(r), inner_products(a)) < 1e-12 * rows);
    for (std::int64_t i = 0; i < columns; ++i) {
      CHECK(r(i, i) > 0);
      for (std::int64_t j = 0; j < i; ++j) CHECK(r(i, j) == 0);
    }
  }
}

TEST_CASE("triangular_factor: dependent and empty columns, and too few rows") {
  Matrix a = random_matrix(6, 3, 1);
  for (std::int64_t i = 0; i < 6; ++i) {
    a(i, 1) = 2 * a(i, 0);
    a(i, 2) = 0;
  }
  const Matrix r = triangular_factor(a);
  CHECK(largest_difference(inner_products(r), inner_products(a)) < 1e-12);
  CHECK(std::abs(r(1, 1)) < 1e-14);
  CHECK(error_of([] { triangular_factor(Matrix(2, 3)); }) == "QR: 2 rows are fewer than 3 columns");
}

// Variables 0 and 2 are independent, 1 = 2 * variable 0, 3 = 0.
TEST_CASE("leading_variables: the most telling first, then the lowest that are left") {
  Matrix m(4, 4);
  m.values = {1, 2, 0, 0, 2, 4, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0};
  CHECK(leading_variables(m, 2) == std::vector<std::int64_t>{1, 2});
  CHECK(leading_variables(m, 4) == std::vector<std::int64_t>{1, 2, 0, 3});
  CHECK(leading_variables(m, 0).empty());
  CHECK(error_of([&] { leading_variables(m, 5); }) == "5 of 4 variables cannot be chosen");
  CHECK(error_of([&] { leading_variables(Matrix(2, 3), 1); }) == "second moments: 2 x 3 is not square");
}

TEST_CASE("reconstruction: variables that depend on the chosen ones are found exactly") {
  Matrix f = random_matrix(50, 5, 7);
  for (std::int64_t s = 0; s < f.rows; ++s) {
    f(s, 3) = f(s, 0) - 2 * f(s, 2);
    f(s, 4) = 0.5 * f(s, 1);
  }
  const std::vector<std::int64_t> chosen{2, 0, 1};
  const Matrix b = reconstruction(inner_products(f), chosen, 0);
  CHECK(distance(f, chosen, b) < 1e-20);
  CHECK(b(3, 0) == doctest::Approx(-2));
  CHECK(b(3, 1) == doctest::Approx(1));
  CHECK(std::abs(b(3, 2)) < 1e-12);
  CHECK(b(2, 0) == doctest::Approx(1));
}

TEST_CASE("reconstruction: no other linear map is nearer") {
  const Matrix f = random_matrix(60, 4, 2);
  const std::vector<std::int64_t> chosen{1, 3};
  const Matrix b = reconstruction(inner_products(f), chosen, 0);
  const double best = distance(f, chosen, b);
  for (std::size_t i = 0; i < b.values.size(); ++i)
    for (const double step : {-1e-3, 1e-3}) {
      Matrix other = b;
      other.values[i] += step;
      CHECK(distance(f, chosen, other) > best);
    }
}

TEST_CASE("reconstruction: a ridge takes a variable that is always 0") {
  Matrix m(2, 2);
  m(0, 0) = 4;
  CHECK(error_of([&] {
          reconstruction(m, std::vector<std::int64_t>{0, 1}, 0);
        }) == "second moments: not positive definite at variable 1");
  const Matrix b = reconstruction(m, std::vector<std::int64_t>{0, 1}, 1e-6);
  CHECK(b(0, 0) == doctest::Approx(1));
  CHECK(b(0, 1) == 0);
  CHECK(b(1, 1) == 0);
}
