// Small dense linear algebra in double, for setting networks up and for reshaping trained ones. Plain loops:
// nothing here is meant for the inside of a training step. Deterministic, with any number of threads.
#pragma once
#include <cstdint>
#include <span>
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

// R of a = Q R with orthonormal columns in Q: (columns, columns), upper triangular, no diagonal entry below
// 0. So |a x| = |R x| for every x, and R^T R = a^T a. Columns that depend on others give zeros on the
// diagonal. Error: fewer rows than columns. Source: Golub & Van Loan, Matrix Computations, 5.2.2
// (Householder).
Matrix triangular_factor(const Matrix& a);

// The `count` variables, most telling first, that explain most of the others: greedily, each the one with
// the largest second moment left once those before it have explained what they can. moments: (n,n),
// symmetric, positive semidefinite: E[f_i f_j]. When all is explained, the lowest indices left follow.
// Error: not square, count above n. Source: pivoted Cholesky, Harbrecht, Peters, Schneider 2012.
std::vector<std::int64_t> leading_variables(const Matrix& moments, std::int64_t count);

// B (n, chosen.size()) for which B f[chosen] is nearest to f in the mean square, with `ridge` times the mean
// of the chosen second moments added to each of them: B = M[:,S] (M[S,S] + r I)^-1. Error: moments that are
// not positive definite even so.
Matrix reconstruction(const Matrix& moments, std::span<const std::int64_t> chosen, double ridge);

}  // namespace chiaro
