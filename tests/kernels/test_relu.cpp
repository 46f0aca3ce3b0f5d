#include "kernels/relu/relu.hpp"

#include <limits>

#include "kernels/relu/relu_reference.hpp"
#include "tests/kernels/memory_ops_support.hpp"

namespace chiaro::relu {

using namespace chiaro::memory_ops;

namespace {
const std::vector<Shape> kShapes = {{1, 1, 1, 1}, {2, 7, 5, 3}, {1, 33, 65, 16}, {3, 64, 50, 5}};
}

TEST_CASE_TEMPLATE("relu: equals the reference bit for bit, also in place", T, float, bf16) {
  for (int threads : {1, 2}) {
    Context context(threads);
    for (const Shape& s : kShapes) {
      Dense<T> x(s), dy(s), y(s), dx(s), expected(s), expected_dx(s);
      x.fill_normal(1);
      dy.fill_normal(2);
      forward(context, x, y);
      reference::forward(x.data(), expected.data(), s.count());
      CHECK(y.same_bits(expected));
      backward(context, y, dy, dx, GradientMode::Overwrite);
      reference::backward(y.data(), dy.data(), expected_dx.data(), s.count());
      CHECK(dx.same_bits(expected_dx));

      forward(context, x, x);
      CHECK(x.same_bits(expected));
      backward(context, y, dy, dy, GradientMode::Overwrite);
      CHECK(dy.same_bits(expected_dx));
    }
  }
}

TEST_CASE_TEMPLATE("relu: gradient modes", T, float, bf16) {
  Context context;
  const Shape s{2, 5, 3, 7};
  Dense<T> y(s), dy(s), dx(s);
  y.fill_integers(3);
  dy.fill_integers(4);
  dx.fill_integers(5);
  auto expected = dx.doubles();
  for (std::int64_t i = 0; i < s.count(); ++i)
    if (float(y.values[i]) > 0) expected[i] += double(dy.values[i]);
  backward(context, y, dy, dx, GradientMode::Accumulate);
  CHECK(dx.doubles() == expected);
  backward(context, y, dy, dx, GradientMode::Ignore);
  CHECK(dx.doubles() == expected);
}

TEST_CASE("relu: the reference's gradient equals central differences") {
  auto x = random_doubles(40, 6);
  for (double& v : x) v += v > 0 ? 0.01 : -0.01;  // away from the kink
  const auto dy = random_doubles(40, 7);
  std::vector<double> y(40), dx(40);
  const auto loss = [&] {
    reference::forward(x.data(), y.data(), 40);
    return dot(y, dy);
  };
  loss();
  reference::backward(y.data(), dy.data(), dx.data(), 40);
  check_gradient(x, dx, loss);
}

TEST_CASE("relu: NaN stays visible") {
  Context context;
  Dense<float> x({1, 1, 1, 40});
  x.fill_normal(8);
  x.values[3] = x.values[38] = std::numeric_limits<float>::quiet_NaN();
  forward(context, x, x);
  CHECK(std::isnan(x.values[3]));
  CHECK(std::isnan(x.values[38]));
}

TEST_CASE("relu: wrong arguments are named") {
  Context context;
  Dense<float> x({1, 2, 2, 3}), y({1, 2, 2, 4});
  Dense<bf16> half({1, 2, 2, 3});
  CHECK(error_of([&] { forward(context, x, y); }) ==
        "relu forward: y has shape (1,2,2,4), expected (1,2,2,3)");
  CHECK(error_of([&] { forward(context, x, half); }) == "relu forward: y is bf16, expected fp32");
  CHECK(error_of([&] { backward(context, x, {}, x, GradientMode::Overwrite); }) ==
        "relu backward: dy is missing");
  CHECK(contains(error_of([&] { backward(context, x, x, x, GradientMode::Accumulate); }), "dx is dy"));
}

}  // namespace chiaro::relu
