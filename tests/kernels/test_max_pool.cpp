#include <limits>

#include "kernels/pool/max_pool.hpp"
#include "kernels/pool/max_pool_reference.hpp"
#include "tests/kernels/every_device.hpp"

namespace chiaro::testing {

namespace {

struct PoolCase {
  Shape x;
  max_pool::Attributes attributes;
};

std::vector<PoolCase> pool_cases() {
  const Shape odd = {2, 9, 11, 5}, even = {2, 8, 6, 16}, small = {1, 7, 8, 3};
  return {{even, {}},
          {odd, {}},
          {small, {}},
          {odd, max_pool::tf_same(odd, 3, 2)},
          {{1, 20, 12, 3}, max_pool::tf_same({1, 20, 12, 3}, 3, 2)},
          {even, {3, 1, 1, 1, 1, 1}},
          {odd, {3, 2, 0, 2, 1, 0}},
          {odd, {2, 3, 0, 0, 0, 0}},
          {{2, 6, 8, 3}, {}},
          {{1, 7, 9, 16}, {}},
          {{2, 11, 10, 8}, {3, 2, 1, 1, 1, 1}},
          {{1, 9, 7, 5}, {3, 2, 0, 0, 1, 1}},
          {{1, 6, 6, 4}, {3, 1, 2, 2, 2, 2}},
          {{1, 9, 9, 2}, {2, 3, 0, 1, 1, 0}}};
}

// Equal numbers in the same places, and NaN too.
template <class T>
bool same_numbers(const std::vector<double>& exact, const std::vector<T>& found) {
  return std::ranges::equal(exact, convert<double>(found),
                            [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); });
}

// x: behind a ReLU, with many windows without a positive element, or any integers; many ties either way.
template <class T>
void check_pool(const PoolCase& k, std::int64_t offset, bool behind_relu, bool with_nan) {
  const Shape out = max_pool::output_shape(k.x, k.attributes);
  auto x = behind_relu ? integer_values<T>(k.x.count(), 1, -6, 2) : integer_values<T>(k.x.count(), 1, 0, 2);
  if (!with_nan) x = integer_values<T>(k.x.count(), 1);
  if (behind_relu)
    for (T& v : x) v = float(v) < 0 ? T(0.0f) : v;
  if (with_nan) {
    x[7] = T(std::nanf(""));
    if (!behind_relu) x[11] = T(-HUGE_VALF);
  }
  const auto dy = integer_values<T>(out.count(), 2), old = integer_values<T>(k.x.count(), 3);
  const auto ex = convert<double>(x), ey = convert<double>(dy);
  std::vector<double> y(out.count());
  max_pool::reference::forward(ex.data(), k.x, y.data(), k.attributes);
  check_every_order([&](Context& context) {
    const OpArray<T> in(context, x, offset), result(context, out.count(), offset), gy(context, dy, offset);
    max_pool::forward(context, in.view(k.x), result.view(out), k.attributes);
    CHECK(same_numbers(y, result.host()));
    OpBits bits;
    bits << result;
    for (const bool relu : {false, true})
      for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
        CAPTURE(relu);
        const bool accumulate = mode == GradientMode::Accumulate;
        auto dx = convert<double>(old);
        max_pool::reference::backward(ex.data(), k.x, ey.data(), dx.data(), accumulate, k.attributes, relu);
        const OpArray<T> gradient(context, old, offset);
        max_pool::backward(context, in.view(k.x), result.view(out), gy.view(out), gradient.view(k.x), mode,
                           k.attributes, relu);
        CHECK(same_numbers(dx, gradient.host()));
        bits << gradient;
      }
    return bits;
  });
}

}  // namespace

TEST_CASE_TEMPLATE("max_pool: exact on integers with ties, with and without a ReLU's mask, NaN and infinity",
                   T, float, bf16) {
  for (const PoolCase& k : pool_cases())
    for (const std::int64_t offset : {0, 1})
      for (const bool behind_relu : {false, true})
        for (const bool with_nan : {false, true}) {
          INFO(to_string(k.x), ", window ", k.attributes.window, ", stride ", k.attributes.stride,
               ", offset ", offset);
          CAPTURE(behind_relu);
          CAPTURE(with_nan);
          check_pool<T>(k, offset, behind_relu, with_nan);
        }
}

TEST_CASE("max_pool: a ReLU's mask takes gradient away") {
  const Shape s{2, 6, 8, 3}, out = max_pool::output_shape(s, {});
  auto x = integer_values<double>(s.count(), 1, -6, 2);
  for (double& v : x) v = std::max(v, 0.0);
  const auto dy = integer_values<double>(out.count(), 2);
  std::vector<double> open(x.size()), masked(x.size());
  max_pool::reference::backward(x.data(), s, dy.data(), open.data(), false, {});
  max_pool::reference::backward(x.data(), s, dy.data(), masked.data(), false, {}, true);
  CHECK(open != masked);
}

TEST_CASE("max_pool: reference gradient matches finite differences") {
  for (const PoolCase& k : pool_cases()) {
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
  Context context = context_under_test();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Shape shape{1, 2, 2, 1}, one{1, 1, 1, 1};
  for (const auto& attributes : {max_pool::Attributes{}, max_pool::Attributes{2, 1, 0, 0, 0, 0}}) {
    const OpArray<float> x(context, {5, nan, 7, 1}), y(context, 1), dy(context, std::vector<float>{2}),
        dx(context, 4);
    max_pool::forward(context, x.view(shape), y.view(one), attributes);
    CHECK(std::isnan(y.first()));
    const auto gradient = [&](bool relu) {
      max_pool::backward(context, x.view(shape), y.view(one), dy.view(one), dx.view(shape),
                         GradientMode::Overwrite, attributes, relu);
      return dx.host();
    };
    CHECK(gradient(false) == std::vector<float>{0, 2, 0, 0});
    CHECK(gradient(true) == std::vector<float>{0, 0, 0, 0});  // a ReLU passes no gradient to NaN
  }
}

TEST_CASE("max_pool: wrong arguments are refused") {
  Context context = context_under_test();
  const OpArray<float> x(context, 16), y(context, 4);
  CHECK(error_of([&] {
          max_pool::forward(context, x.view({1, 4, 4, 1}), y.view({1, 4, 1, 1}));
        }) == "max_pool: y has shape (1,4,1,1), expected (1,2,2,1)");
  CHECK(error_of([&] {
          max_pool::output_shape({1, 1, 4, 1}, {});
        }) == "max_pool: a window of 2 does not fit x (1,1,4,1) with its padding");
  CHECK(error_of([&] {
          max_pool::output_shape({1, 4, 4, 1}, {2, 2, 2, 0, 0, 0});
        }) == "max_pool: padding 2 is not within 0..window-1 (window 2)");
}

}  // namespace chiaro::testing
