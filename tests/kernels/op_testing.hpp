// Views of vectors, and runs with any number of threads, for the tests of ops.
#pragma once
#include <doctest/doctest.h>

#include <vector>

#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/random_values.hpp"

namespace chiaro::testing {

using namespace chiaro::test;

template <class T>
ConstTensorView view(const std::vector<T>& x, Shape shape) {
  REQUIRE(static_cast<std::int64_t>(x.size()) == shape.count());
  return {x.data(), dtype_of<T>, shape};
}
template <class T>
TensorView view(std::vector<T>& x, Shape shape) {
  REQUIRE(static_cast<std::int64_t>(x.size()) == shape.count());
  return {x.data(), dtype_of<T>, shape};
}

// Runs `f(context)`, which returns a vector, twice with one thread and with two and four, and expects equal
// bits.
template <class F>
auto run_with_any_threads(F&& f) {
  Context one(1);
  auto result = f(one);
  CHECK(same_bits(result, f(one)));
  for (const int threads : {2, 4}) {
    Context context(threads);
    CHECK_MESSAGE(same_bits(result, f(context)), threads, " threads");
  }
  return result;
}

}  // namespace chiaro::testing
