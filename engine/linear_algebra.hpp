// Small dense linear algebra in double, for setting networks up. Plain loops: nothing here is meant for the
// inside of a training step. Deterministic, with any number of threads.
#pragma once
#include <cstdint>
#include <vector>

namespace chiaro {

// Row-major.
struct Matrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> values;

  Matrix() = default;
  Matrix(std::int64_t rows_, std::int64_t columns_)
      : rows(rows_), columns(columns_), values(static_cast<std::size_t>(rows_ * columns_)) {}
  double& operator()(std::int64_t i, std::int64_t j) {
    return values[static_cast<std::size_t>(i * columns + j)];
  }
  double operator()(std::int64_t i, std::int64_t j) const {
    return values[static_cast<std::size_t>(i * columns + j)];
  }
};

Matrix transposed(const Matrix& a);
// a b. Error: shapes that do not fit.
Matrix product(const Matrix& a, const Matrix& b);

// X of (m + ridge * mean of m's diagonal * I) X = b; m: (n,n), symmetric, positive definite with the ridge;
// b: (n,k).
// Error: other shapes; a matrix that is not positive definite even so.
// Source: Cholesky; Golub & Van Loan, Matrix Computations, 4.2.
Matrix solve_positive(const Matrix& m, const Matrix& b, double ridge);

// Orthonormal columns (n,count) that span what m does most: for a symmetric positive semidefinite m (n,n) the
// eigenvectors of its `count` largest eigenvalues, or others of their space. Where eigenvalues are close to
// the next one, their space is found roughly; what m loses by that is as little.
// Error: not square, count below 1 or above n.
// Source: orthogonal iteration; Golub & Van Loan, 8.2.4.
Matrix dominant_space(const Matrix& m, std::int64_t count);

}  // namespace chiaro
