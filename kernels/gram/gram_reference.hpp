// Gram matrices in plain loops: the formulas of gram.hpp.
#pragma once
#include "kernels/base/blocks.hpp"
#include "kernels/gram/gram.hpp"

namespace chiaro::gram::reference {

// f: (N,HW,C), g: (N,C,C)
template <class T>
void forward(const T* f, Shape s, Accumulator<T>* g, Accumulator<T> scale) {
  using A = Accumulator<T>;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t i = 0; i < s.c; ++i)
      for (std::int64_t j = 0; j < s.c; ++j) {
        A sum = 0;
        for (std::int64_t p = 0; p < s.pixels(); ++p) {
          const T* row = f + (n * s.pixels() + p) * s.c;
          sum += A(row[i]) * A(row[j]);
        }
        g[(n * s.c + i) * s.c + j] = scale * sum;
      }
}

// df = (accumulate ? df : 0) + 2 * scale * f * dg
template <class T>
void backward(const T* f, Shape s, const Accumulator<T>* dg, Accumulator<T> scale, T* df, bool accumulate) {
  using A = Accumulator<T>;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t p = 0; p < s.pixels(); ++p)
      for (std::int64_t i = 0; i < s.c; ++i) {
        const T* row = f + (n * s.pixels() + p) * s.c;
        A sum = 0;
        for (std::int64_t j = 0; j < s.c; ++j) sum += A(row[j]) * dg[(n * s.c + j) * s.c + i];
        T& to = df[(n * s.pixels() + p) * s.c + i];
        to = T((accumulate ? A(to) : A(0)) + 2 * scale * sum);
      }
}

}  // namespace chiaro::gram::reference
