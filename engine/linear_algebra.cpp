#include "engine/linear_algebra.hpp"

#include <cmath>

#include "engine/rng.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/parallel.hpp"

namespace chiaro {

namespace {

// L of m = L L^T in place, the upper triangle left alone.
void factorize(Matrix& m) {
  for (std::int64_t j = 0; j < m.columns; ++j) {
    double pivot = m(j, j);
    for (std::int64_t k = 0; k < j; ++k) pivot -= m(j, k) * m(j, k);
    if (!(pivot > 0)) throw Error("linear equations: not positive definite at variable {}", j);
    m(j, j) = std::sqrt(pivot);
    parallel_for(m.rows - j - 1, [&](std::int64_t row) {
      const std::int64_t i = j + 1 + row;
      double sum = m(i, j);
      for (std::int64_t k = 0; k < j; ++k) sum -= m(i, k) * m(j, k);
      m(i, j) = sum / m(j, j);
    });
  }
}

// Columns orthonormal in place, one after the other, twice for full precision. One that depends on those before it, and so
// is nearly 0 then, becomes 0.
void orthonormalize(Matrix& q) {
  Matrix rows = transposed(q);  // columns as rows: contiguous
  const std::int64_t n = q.rows;
  for (std::int64_t j = 0; j < rows.rows; ++j) {
    double* v = &rows(j, 0);
    double before = 0, after = 0;
    for (std::int64_t i = 0; i < n; ++i) before += v[i] * v[i];
    for (int pass = 0; pass < 2; ++pass)
      for (std::int64_t k = 0; k < j; ++k) {
        const double* u = &rows(k, 0);
        double along = 0;
        for (std::int64_t i = 0; i < n; ++i) along += u[i] * v[i];
        for (std::int64_t i = 0; i < n; ++i) v[i] -= along * u[i];
      }
    for (std::int64_t i = 0; i < n; ++i) after += v[i] * v[i];
    const double factor = after > 1e-26 * before ? 1 / std::sqrt(after) : 0;
    for (std::int64_t i = 0; i < n; ++i) v[i] *= factor;
  }
  q = transposed(rows);
}

}  // namespace

Matrix transposed(const Matrix& a) {
  Matrix t(a.columns, a.rows);
  for (std::int64_t i = 0; i < a.rows; ++i)
    for (std::int64_t j = 0; j < a.columns; ++j) t(j, i) = a(i, j);
  return t;
}

Matrix product(const Matrix& a, const Matrix& b) {
  require(a.columns == b.rows, "product: {} x {} times {} x {}", a.rows, a.columns, b.rows, b.columns);
  Matrix c(a.rows, b.columns);
  parallel_for(a.rows, [&](std::int64_t i) {
    for (std::int64_t k = 0; k < a.columns; ++k) {
      const double factor = a(i, k);
      for (std::int64_t j = 0; j < b.columns; ++j) c(i, j) += factor * b(k, j);
    }
  });
  return c;
}

Matrix solve_positive(const Matrix& m, const Matrix& b, double ridge) {
  require(m.rows == m.columns && m.rows > 0 && b.rows == m.rows, "linear equations: {} x {} with {} x {}",
          m.rows, m.columns, b.rows, b.columns);
  const std::int64_t n = m.rows;
  Matrix lower = m;
  double mean = 0;
  for (std::int64_t i = 0; i < n; ++i) mean += m(i, i) / static_cast<double>(n);
  for (std::int64_t i = 0; i < n; ++i) lower(i, i) += ridge * mean;
  factorize(lower);
  Matrix x = b;
  parallel_for(b.columns, [&](std::int64_t c) {
    for (std::int64_t i = 0; i < n; ++i) {
      double sum = x(i, c);
      for (std::int64_t j = 0; j < i; ++j) sum -= lower(i, j) * x(j, c);
      x(i, c) = sum / lower(i, i);
    }
    for (std::int64_t i = n - 1; i >= 0; --i) {
      double sum = x(i, c);
      for (std::int64_t j = i + 1; j < n; ++j) sum -= lower(j, i) * x(j, c);
      x(i, c) = sum / lower(i, i);
    }
  });
  return x;
}

Matrix dominant_space(const Matrix& m, std::int64_t count) {
  require(m.rows == m.columns, "dominant space: {} x {} is not square", m.rows, m.columns);
  require(count >= 1 && count <= m.rows, "dominant space: {} of {} dimensions", count, m.rows);
  constexpr int kIterations = 40;
  const Rng rng(1);
  Matrix q(m.rows, count);
  for (std::size_t i = 0; i < q.values.size(); ++i) q.values[i] = 2 * rng.uniform(i) - 1;
  orthonormalize(q);
  for (int i = 0; i < kIterations; ++i) {
    Matrix next = product(m, q);
    orthonormalize(next);
    q = std::move(next);
  }
  return q;
}

}  // namespace chiaro
