// The matrix product of gemm.hpp in plain loops.
#pragma once
#include "kernels/base/blocks.hpp"
#include "kernels/gemm/gemm.hpp"

namespace chiaro::gemm::reference {

// a, b and c as in Args, with their own element types.
template <class A, class B, class C>
void run(const Args& args, const A* a, const B* b, C* c) {
  using Sum = Accumulator<C>;
  for (std::int64_t i = 0; i < args.m; ++i)
    for (std::int64_t j = 0; j < args.n; ++j) {
      Sum sum = 0;
      for (std::int64_t k = 0; k < args.k; ++k) {
        const auto left =
            args.a.transposed ? k * args.a.leading_dimension + i : i * args.a.leading_dimension + k;
        const auto right =
            args.b.transposed ? j * args.b.leading_dimension + k : k * args.b.leading_dimension + j;
        sum += Sum(a[left]) * Sum(b[right]);
      }
      C& to = c[i * args.c.leading_dimension + j];
      const Sum old = args.beta == 0.f ? Sum(0) : Sum(args.beta) * Sum(to);
      to = C(Sum(args.alpha) * sum + old);
    }
}

}  // namespace chiaro::gemm::reference
