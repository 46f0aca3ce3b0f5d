#include "engine/linear_algebra.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/common/error.hpp"
#include "kernels/common/parallel.hpp"

namespace chiaro {

namespace {

void require_square(const Matrix& m) {
  require(m.rows == m.columns && m.rows > 0, "second moments: {} x {} is not square", m.rows, m.columns);
}

// Reflects columns `first` and beyond so that column `first` is zero below the diagonal.
void reflect(Matrix& a, std::int64_t first) {
  double norm = 0;
  for (std::int64_t i = first; i < a.rows; ++i) norm = std::hypot(norm, a(i, first));
  if (norm == 0) return;
  // The reflection is along v = column - alpha e; the sign of alpha avoids cancellation.
  const double alpha = a(first, first) > 0 ? -norm : norm;
  std::vector<double> v(static_cast<std::size_t>(a.rows - first));
  for (std::int64_t i = first; i < a.rows; ++i) v[static_cast<std::size_t>(i - first)] = a(i, first);
  v[0] -= alpha;
  double square = 0;
  for (const double x : v) square += x * x;
  parallel_for(a.columns - first, [&](std::int64_t k) {
    const std::int64_t j = first + k;
    double along = 0;
    for (std::int64_t i = first; i < a.rows; ++i) along += v[static_cast<std::size_t>(i - first)] * a(i, j);
    const double factor = 2 * along / square;
    for (std::int64_t i = first; i < a.rows; ++i) a(i, j) -= factor * v[static_cast<std::size_t>(i - first)];
  });
}

// L of m = L L^T in place, the upper triangle left alone.
void factorise(Matrix& m) {
  for (std::int64_t j = 0; j < m.columns; ++j) {
    double pivot = m(j, j);
    for (std::int64_t k = 0; k < j; ++k) pivot -= m(j, k) * m(j, k);
    if (!(pivot > 0)) throw Error("second moments: not positive definite at variable {}", j);
    m(j, j) = std::sqrt(pivot);
    parallel_for(m.rows - j - 1, [&](std::int64_t row) {
      const std::int64_t i = j + 1 + row;
      double sum = m(i, j);
      for (std::int64_t k = 0; k < j; ++k) sum -= m(i, k) * m(j, k);
      m(i, j) = sum / m(j, j);
    });
  }
}

}  // namespace

Matrix triangular_factor(const Matrix& a) {
  require(a.rows >= a.columns, "QR: {} rows are fewer than {} columns", a.rows, a.columns);
  Matrix work = a;
  for (std::int64_t j = 0; j < a.columns; ++j) reflect(work, j);
  Matrix r(a.columns, a.columns);
  for (std::int64_t i = 0; i < a.columns; ++i) {
    const double sign = work(i, i) < 0 ? -1 : 1;
    for (std::int64_t j = i; j < a.columns; ++j) r(i, j) = sign * work(i, j);
  }
  return r;
}

std::vector<std::int64_t> leading_variables(const Matrix& moments, std::int64_t count) {
  require_square(moments);
  const std::int64_t n = moments.rows;
  require(count >= 0 && count <= n, "{} of {} variables cannot be chosen", count, n);
  constexpr double kExplained = 1e-12;  // of the largest second moment: rounding
  std::vector<double> left(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) left[static_cast<std::size_t>(i)] = moments(i, i);
  const double least = kExplained * *std::max_element(left.begin(), left.end());
  std::vector<char> taken(left.size());
  std::vector<std::int64_t> chosen;
  Matrix factor(n, count);
  for (std::int64_t step = 0; step < count; ++step) {
    std::int64_t best = -1;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (taken[at]) continue;
      if (best < 0 || left[at] > left[static_cast<std::size_t>(best)]) best = i;
    }
    const double pivot = left[static_cast<std::size_t>(best)];
    if (!(pivot > least)) {
      for (std::int64_t i = 0; i < n && std::ssize(chosen) < count; ++i)
        if (!taken[static_cast<std::size_t>(i)]) chosen.push_back(i);
      break;
    }
    taken[static_cast<std::size_t>(best)] = 1;
    chosen.push_back(best);
    const double root = std::sqrt(pivot);
    for (std::int64_t i = 0; i < n; ++i) {
      double sum = moments(i, best);
      for (std::int64_t k = 0; k < step; ++k) sum -= factor(i, k) * factor(best, k);
      factor(i, step) = sum / root;
      left[static_cast<std::size_t>(i)] -= factor(i, step) * factor(i, step);
    }
  }
  return chosen;
}

Matrix reconstruction(const Matrix& moments, std::span<const std::int64_t> chosen, double ridge) {
  require_square(moments);
  const std::int64_t n = moments.rows, k = std::ssize(chosen);
  Matrix lower(k, k);
  double mean = 0;
  for (std::int64_t i = 0; i < k; ++i) {
    mean += moments(chosen[i], chosen[i]) / static_cast<double>(k);
    for (std::int64_t j = 0; j < k; ++j) lower(i, j) = moments(chosen[i], chosen[j]);
  }
  for (std::int64_t i = 0; i < k; ++i) lower(i, i) += ridge * mean;
  factorise(lower);
  // Every row x of B solves L L^T x = M[S, row].
  Matrix b(n, k);
  parallel_for(n, [&](std::int64_t row) {
    for (std::int64_t i = 0; i < k; ++i) {
      double sum = moments(chosen[i], row);
      for (std::int64_t j = 0; j < i; ++j) sum -= lower(i, j) * b(row, j);
      b(row, i) = sum / lower(i, i);
    }
    for (std::int64_t i = k - 1; i >= 0; --i) {
      double sum = b(row, i);
      for (std::int64_t j = i + 1; j < k; ++j) sum -= lower(j, i) * b(row, j);
      b(row, i) = sum / lower(i, i);
    }
  });
  return b;
}

}  // namespace chiaro
