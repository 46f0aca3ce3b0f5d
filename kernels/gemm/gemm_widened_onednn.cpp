// Products with bf16 matrices where oneDNN multiplies fp32 only: panels of A and B are widened to fp32, their
// products added in fp32, and C is rounded once.
#include <algorithm>
#include <array>

#include "kernels/gemm/gemm.hpp"

namespace chiaro::gemm::widened {

namespace {

constexpr std::int64_t kTile = 256,
                       kPanel = 128;  // extents of C that a tile has at most; of K that are widened at once

// Stored rows of `columns` elements, dense in `to`.
void widen(const Input& x, std::int64_t first_row, std::int64_t first_column, std::int64_t rows,
           std::int64_t columns, float* to) {
  visit_dtype(x.dtype, [&](auto zero) {
    const auto* from =
        static_cast<const decltype(zero)*>(x.data) + first_row * x.leading_dimension + first_column;
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j)
        to[i * columns + j] = float(from[i * x.leading_dimension + j]);
  });
}

}  // namespace

std::string supports(const Args&) {
  return "";
}

void run_tile(const Args& args) {
  thread_local std::array<float, kTile * kPanel> a, b;
  thread_local std::array<float, kTile * kTile> sums;
  require(args.m <= kTile && args.n <= kTile, "gemm: a tile of {} x {} is larger than {}", args.m, args.n,
          kTile);
  Args part = args;
  part.alpha = 1;
  part.c = {sums.data(), DType::F32, args.n};
  for (std::int64_t k = 0; k < args.k; k += kPanel) {
    part.k = std::min(kPanel, args.k - k);
    part.beta = k == 0 ? 0.f : 1.f;
    if (args.a.transposed)
      widen(args.a, k, 0, part.k, args.m, a.data());
    else
      widen(args.a, 0, k, args.m, part.k, a.data());
    if (args.b.transposed)
      widen(args.b, 0, k, args.n, part.k, b.data());
    else
      widen(args.b, k, 0, part.k, args.n, b.data());
    part.a = {a.data(), DType::F32, args.a.transposed ? args.m : part.k, args.a.transposed};
    part.b = {b.data(), DType::F32, args.b.transposed ? part.k : args.n, args.b.transposed};
    onednn::run_tile(part);
  }
  visit_dtype(args.c.dtype, [&](auto zero) {
    using C = decltype(zero);
    for (std::int64_t i = 0; i < args.m; ++i)
      for (std::int64_t j = 0; j < args.n; ++j) {
        C& to = static_cast<C*>(args.c.data)[i * args.c.leading_dimension + j];
        const float old = args.beta == 0.f ? 0.f : args.beta * float(to);
        to = C(args.alpha * sums[static_cast<std::size_t>(i * args.n + j)] + old);
      }
  });
}

}  // namespace chiaro::gemm::widened
