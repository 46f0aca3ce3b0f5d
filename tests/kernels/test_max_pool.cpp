#include <limits>

#include "kernels/pool/max_pool.hpp"
#include "kernels/pool/max_pool_reference.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

namespace {

struct Case {
  Shape x;
  max_pool::Attributes attributes;
};

std::vector<Case> cases() {
  const Shape odd = {2, 9, 11, 5}, even = {2, 8, 6, 16}, small = {1, 7, 8, 3};
  return {{even, {}},
          {odd, {}},
          {small, {}},
          {odd, max_pool::tf_same(odd, 3, 2)},
          {{1, 20, 12, 3}, max_pool::tf_same({1, 20, 12, 3}, 3, 2)},
          {even, {3, 1, 1, 1, 1, 1}},
          {odd, {3, 2, 0, 2, 1, 0}},
          {odd, {2, 3, 0, 0, 0, 0}}};
}

template <class T>
void check_exact(const Case& k, bool relu) {
  const Shape out = max_pool::output_shape(k.x, k.attributes);
  const auto x = integer_values<T>(k.x.count(), 1), dy = integer_values<T>(out.count(), 2);  // many ties
  std::vector<double> y(out.count()), dx = convert<double>(x);
  max_pool::reference::forward(convert<double>(x).data(), k.x, y.data(), k.attributes);
  const auto found = run_with_any_threads([&](Context& context) {
    std::vector<T> result(out.count());
    max_pool::forward(context, view(x, k.x), view(result, out), k.attributes);
    return result;
  });
  CHECK(convert<double>(found) == y);
  for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
    dx = convert<double>(x);
    max_pool::reference::backward(convert<double>(x).data(), k.x, convert<double>(dy).data(), dx.data(),
                                  mode == GradientMode::Accumulate, k.attributes, relu);
    const auto gradient = run_with_any_threads([&](Context& context) {
      auto result = x;
      max_pool::backward(context, view(x, k.x), view(found, out), view(dy, out), view(result, k.x), mode,
                         k.attributes, relu);
      return result;
    });
    CHECK(convert<double>(gradient) == dx);
  }
}

}  // namespace

TEST_CASE("max_pool: forward and backward are exact on integers with ties, with and without a ReLU's mask") {
  for (const Case& k : cases())
    for (const bool relu : {false, true}) {
      CAPTURE(to_string(k.x));
      CAPTURE(k.attributes.window);
      CAPTURE(k.attributes.stride);
      CAPTURE(relu);
      check_exact<float>(k, relu);
      check_exact<bf16>(k, relu);
    }
}

TEST_CASE("max_pool: reference gradient matches finite differences") {
  for (const Case& k : cases()) {
    const Shape out = max_pool::output_shape(k.x, k.attributes);
    const auto x = convert<double>(random_values<float>(k.x.count(), 3));
    const auto dy = convert<double>(random_values<float>(out.count(), 4));
    std::vector<double> dx(x.size()), y(dy.size());
    max_pool::reference::backward(x.data(), k.x, dy.data(), dx.data(), false, k.attributes);
    check_gradient(x, dx, [&](const std::vector<double>& at) {
      max_pool::reference::forward(at.data(), k.x, y.data(), k.attributes);
      return dot(y, dy);
    });
  }
}

TEST_CASE("max_pool: TensorFlow's SAME padding") {
  const auto a = max_pool::tf_same({1, 114, 153, 64}, 3, 2);
  CHECK(a.pad_top == 0);
  CHECK(a.pad_bottom == 1);
  CHECK(a.pad_left == 1);
  CHECK(a.pad_right == 1);
  CHECK(max_pool::output_shape({1, 114, 153, 64}, a) == Shape{1, 57, 77, 64});
}

TEST_CASE("max_pool: a NaN in the window wins, and takes the gradient") {
  Context context(1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Shape shape = {1, 2, 2, 1};
  for (const auto& attributes : {max_pool::Attributes{}, max_pool::Attributes{2, 1, 0, 0, 0, 0}}) {
    const std::vector<float> x = {5, nan, 7, 1};
    std::vector<float> y(1), dy = {2}, dx(4);
    max_pool::forward(context, view(x, shape), view(y, {1, 1, 1, 1}), attributes);
    CHECK(std::isnan(y[0]));
    max_pool::backward(context, view(x, shape), view(y, {1, 1, 1, 1}), view(dy, {1, 1, 1, 1}),
                       view(dx, shape), GradientMode::Overwrite, attributes);
    CHECK(dx == std::vector<float>{0, 2, 0, 0});
    max_pool::backward(context, view(x, shape), view(y, {1, 1, 1, 1}), view(dy, {1, 1, 1, 1}),
                       view(dx, shape), GradientMode::Overwrite, attributes, true);
    CHECK(dx == std::vector<float>{0, 0, 0, 0});  // a ReLU passes no gradient to NaN
  }
}

TEST_CASE("max_pool: wrong arguments are refused") {
  Context context(1);
  std::vector<float> x(16), y(4);
  CHECK(error_of([&] {
          max_pool::forward(context, view(x, {1, 4, 4, 1}), view(y, {1, 4, 1, 1}));
        }) == "max_pool: y has shape (1,4,1,1), expected (1,2,2,1)");
  CHECK(error_of([&] {
          max_pool::output_shape({1, 1, 4, 1}, {});
        }) == "max_pool: a window of 2 does not fit x (1,1,4,1) with its padding");
  CHECK(error_of([&] {
          max_pool::output_shape({1, 4, 4, 1}, {2, 2, 2, 0, 0, 0});
        }) == "max_pool: padding 2 is not within 0..window-1 (window 2)");
}

}  // namespace chiaro
