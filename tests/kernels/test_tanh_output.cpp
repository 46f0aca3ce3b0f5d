#include <limits>

#include "kernels/tanh_output/tanh_output.hpp"
#include "kernels/tanh_output/tanh_output_reference.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

namespace {

template <class T>
void check_op(Shape s) {
  const auto x = random_values<T>(s.count(), 1, -4, 4), dy = random_values<T>(s.count(), 2);
  std::vector<double> y(x.size());
  auto y_reference = x;
  tanh_output::reference::forward(convert<double>(x).data(), s.count(), y.data());
  tanh_output::reference::forward(x.data(), s.count(), y_reference.data());
  const auto found = run_with_any_threads([&](Context& context) {
    std::vector<T> result(x.size());
    tanh_output::forward(context, view(x, s), view(result, s));
    return result;
  });
  check_close(y, found, y_reference, 1);
  for (const bool accumulate : {false, true}) {
    auto dx = convert<double>(x);
    auto dx_reference = x;
    tanh_output::reference::backward(convert<double>(found).data(), convert<double>(dy).data(), s.count(),
                                     dx.data(), accumulate);
    tanh_output::reference::backward(found.data(), dy.data(), s.count(), dx_reference.data(), accumulate);
    const auto gradient = run_with_any_threads([&](Context& context) {
      auto result = x;
      tanh_output::backward(context, view(found, s), view(dy, s), view(result, s),
                            accumulate ? GradientMode::Accumulate : GradientMode::Overwrite);
      return result;
    });
    check_close(dx, gradient, dx_reference, 1);
  }
}

}  // namespace

TEST_CASE("tanh_output: forward and backward match the reference") {
  check_op<float>({2, 83, 101, 3});
  check_op<bf16>({2, 83, 101, 3});
}

TEST_CASE("tanh_output: large values, zero and NaN") {
  Context context(1);
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {0, 50, -50, inf, -inf, NAN};
  std::vector<float> y(6);
  tanh_output::forward(context, view(x, {1, 1, 6, 1}), view(y, {1, 1, 6, 1}));
  CHECK(y[0] == 127.5f);
  CHECK(y[1] == 277.5f);
  CHECK(y[2] == -22.5f);
  CHECK(y[3] == 277.5f);
  CHECK(y[4] == -22.5f);
  CHECK(std::isnan(y[5]));
}

TEST_CASE("tanh_output: reference gradient matches finite differences") {
  const auto x = convert<double>(random_values<float>(24, 1, -2, 2)),
             dy = convert<double>(random_values<float>(24, 2));
  std::vector<double> y(24), dx(24);
  tanh_output::reference::forward(x.data(), 24, y.data());
  tanh_output::reference::backward(y.data(), dy.data(), 24, dx.data(), false);
  check_gradient(x, dx, [&](const std::vector<double>& at) {
    tanh_output::reference::forward(at.data(), 24, y.data());
    return dot(y, dy);
  });
}

TEST_CASE("tanh_output: wrong arguments are refused") {
  Context context(1);
  std::vector<float> x(12), y(6);
  CHECK(error_of([&] {
          tanh_output::forward(context, view(x, {1, 2, 2, 3}), view(y, {1, 1, 2, 3}));
        }) == "tanh_output: y has shape (1,1,2,3), expected (1,2,2,3) as x");
}

}  // namespace chiaro
