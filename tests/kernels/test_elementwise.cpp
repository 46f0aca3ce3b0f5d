#include "kernels/elementwise/elementwise.hpp"

#include <limits>

#include "tests/kernels/elementwise_reference.hpp"
#include "tests/kernels/memory_ops_support.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {

using memory_ops::Dense;
using namespace testing;
namespace reference = elementwise::reference;

namespace {

const std::vector<Shape> kShapes = {{1, 1, 1, 1}, {2, 7, 5, 3}, {1, 33, 65, 16}, {3, 64, 50, 5}};
constexpr auto kOverwrite = GradientMode::Overwrite, kAccumulate = GradientMode::Accumulate;

template <class T>
std::vector<T> added(std::vector<T> a, const std::vector<T>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = T(Accumulator<T>(a[i]) + Accumulator<T>(b[i]));
  return a;
}

}  // namespace

TEST_CASE_TEMPLATE("relu: equals the plain loops bit for bit, also in place", T, float, bf16) {
  for (const Shape& s : kShapes) {
    const auto x = random_values<T>(s.count(), 1), dy = random_values<T>(s.count(), 2);
    const auto y = reference::relu(x), dx = reference::relu_gradient(y, dy);
    const auto found = run_with_any_threads([&](Context& context) {
      std::vector<T> result(x.size());
      relu_forward(context, view(x, s), view(result, s));
      return result;
    });
    CHECK(same_bits(found, y));
    const auto gradient = run_with_any_threads([&](Context& context) {
      std::vector<T> result(x.size());
      relu_backward(context, view(y, s), view(dy, s), view(result, s), kOverwrite);
      return result;
    });
    CHECK(same_bits(gradient, dx));
    Context context(2);
    auto in_place = x, gradient_in_place = dy;
    relu_forward(context, view(in_place, s), view(in_place, s));
    CHECK(same_bits(in_place, y));
    relu_backward(context, view(y, s), view(gradient_in_place, s), view(gradient_in_place, s), kOverwrite);
    CHECK(same_bits(gradient_in_place, dx));
  }
}

TEST_CASE_TEMPLATE("relu: gradient modes", T, float, bf16) {
  Context context;
  const Shape s{2, 5, 3, 7};
  const auto y = integer_values<T>(s.count(), 3), dy = integer_values<T>(s.count(), 4),
             old = integer_values<T>(s.count(), 5);
  auto dx = old;
  relu_backward(context, view(y, s), view(dy, s), view(dx, s), kAccumulate);
  CHECK(same_bits(dx, added(old, reference::relu_gradient(y, dy))));
  const auto before = dx;
  relu_backward(context, view(y, s), view(dy, s), view(dx, s), GradientMode::Ignore);
  CHECK(same_bits(dx, before));
}

TEST_CASE("relu: NaN stays visible") {
  Context context;
  const Shape s{1, 1, 1, 40};
  auto x = random_values<float>(40, 8);
  x[3] = x[38] = std::numeric_limits<float>::quiet_NaN();
  relu_forward(context, view(x, s), view(x, s));
  CHECK(std::isnan(x[3]));
  CHECK(std::isnan(x[38]));
}

TEST_CASE_TEMPLATE("tanh_output: forward and backward match the plain loops", T, float, bf16) {
  const Shape s{2, 83, 101, 3};
  const auto x = random_values<T>(s.count(), 1, -4, 4), dy = random_values<T>(s.count(), 2);
  const auto found = run_with_any_threads([&](Context& context) {
    std::vector<T> result(x.size());
    tanh_output_forward(context, view(x, s), view(result, s));
    return result;
  });
  check_close(reference::tanh_output(convert<double>(x)), found, reference::tanh_output(x), 1);
  const auto exact = reference::tanh_output_gradient(convert<double>(found), convert<double>(dy));
  const auto plain = reference::tanh_output_gradient(found, dy);
  for (const auto mode : {kOverwrite, kAccumulate}) {
    const auto gradient = run_with_any_threads([&](Context& context) {
      auto result = x;
      tanh_output_backward(context, view(found, s), view(dy, s), view(result, s), mode);
      return result;
    });
    mode == kOverwrite ? check_close(exact, gradient, plain, 1)
                       : check_close(added(convert<double>(x), exact), gradient, added(x, plain), 1);
  }
}

TEST_CASE("tanh_output: large values, zero and NaN") {
  Context context(1);
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {0, 50, -50, inf, -inf, NAN};
  std::vector<float> y(6);
  tanh_output_forward(context, view(x, {1, 1, 6, 1}), view(y, {1, 1, 6, 1}));
  CHECK(y[0] == 127.5f);
  CHECK(y[1] == 277.5f);
  CHECK(y[2] == -22.5f);
  CHECK(y[3] == 277.5f);
  CHECK(y[4] == -22.5f);
  CHECK(std::isnan(y[5]));
}

TEST_CASE_TEMPLATE("copy: copies and adds, between the types too", T, float, bf16) {
  Context context(2);
  const Shape s{2, 33, 65, 7};
  const auto x = integer_values<T>(s.count(), 1);
  const auto old = integer_values<float>(s.count(), 2);
  std::vector<T> same(x.size());
  std::vector<float> wide(x.size());
  auto sum = old;
  copy(context, view(x, s), view(same, s));
  copy(context, view(x, s), view(wide, s));
  copy(context, view(x, s), view(sum, s), kAccumulate);
  CHECK(same_bits(same, x));
  CHECK(same_bits(wide, convert<float>(x)));
  CHECK(same_bits(sum, added(old, convert<float>(x))));
  copy(context, view(x, s), {}, GradientMode::Ignore);
  const auto values = random_values<float>(s.count(), 3);
  std::vector<bf16> rounded(x.size());
  copy(context, view(values, s), view(rounded, s));
  CHECK(same_bits(rounded, convert<bf16>(values)));
}

namespace {

template <class X, class Y>
void check_channel_affine(Shape s) {
  CAPTURE(to_string(s));
  const auto x = random_values<X>(s.count(), 1, 0, 255);
  const auto mean = random_values<float>(s.c, 2, 100, 130), scale = random_values<float>(s.c, 3, 0.5, 2);
  const auto exact_scale = convert<double>(scale);
  const auto y = reference::channel_affine(convert<double>(x), convert<double>(mean), exact_scale);
  const auto found = run_with_any_threads([&](Context& context) {
    std::vector<Y> result(x.size());
    channel_affine_forward(context, view(x, s), mean.data(), scale.data(), view(result, s));
    return result;
  });
  check_close(y, found, convert<Y>(convert<float>(y)), 1);
  for (const auto mode : {kOverwrite, kAccumulate}) {
    auto dx = reference::channel_affine_gradient(convert<double>(found), exact_scale);
    if (mode == kAccumulate) dx = added(dx, convert<double>(x));
    const auto gradient = run_with_any_threads([&](Context& context) {
      auto result = x;
      channel_affine_backward(context, view(found, s), scale.data(), view(result, s), mode);
      return result;
    });
    check_close(dx, gradient, convert<X>(convert<float>(dx)), 1);
  }
}

}  // namespace

TEST_CASE("channel_affine: forward and backward match the plain loops in every mixture of types") {
  for (const Shape s : {Shape{2, 83, 101, 3}, Shape{1, 9, 9, 65}, Shape{2, 3, 5, 512}}) {
    check_channel_affine<float, float>(s);
    check_channel_affine<float, bf16>(s);
    check_channel_affine<bf16, float>(s);
    check_channel_affine<bf16, bf16>(s);
  }
}

TEST_CASE("elementwise: the plain gradients equal central differences") {
  const auto dy = convert<double>(random_values<float>(24, 2));
  SUBCASE("relu") {
    auto x = convert<double>(random_values<float>(24, 6));
    for (double& v : x) v += v > 0 ? 0.01 : -0.01;  // away from the kink
    check_gradient(x, reference::relu_gradient(reference::relu(x), dy),
                   [&](const std::vector<double>& at) { return dot(reference::relu(at), dy); });
  }
  SUBCASE("tanh_output") {
    const auto x = convert<double>(random_values<float>(24, 1, -2, 2));
    check_gradient(x, reference::tanh_output_gradient(reference::tanh_output(x), dy),
                   [&](const std::vector<double>& at) { return dot(reference::tanh_output(at), dy); });
  }
  SUBCASE("channel_affine") {
    const auto x = convert<double>(random_values<float>(24, 1));
    const std::vector<double> mean = {1, 2, 3}, scale = {0.5, -2, 3};
    check_gradient(x, reference::channel_affine_gradient(dy, scale), [&](const std::vector<double>& at) {
      return dot(reference::channel_affine(at, mean, scale), dy);
    });
  }
}

TEST_CASE_TEMPLATE("elementwise: nothing behind the end is touched", T, float, bf16) {
  Context context(2);
  const std::vector<float> vector(5, 1.f);
  for (const Shape& s : kShapes) {
    Dense<T> x(s), y(s);  // their destructors look at sentinels
    x.fill_normal(1);
    copy(context, x, y);
    relu_forward(context, x, y);
    relu_backward(context, x, x, y, kAccumulate);
    tanh_output_forward(context, x, y);
    tanh_output_backward(context, x, x, y, kAccumulate);
    if (s.c > 5) continue;
    channel_affine_forward(context, x, vector.data(), vector.data(), y);
    channel_affine_backward(context, x, vector.data(), y, kAccumulate);
  }
}

TEST_CASE("elementwise: wrong arguments are named") {
  Context context(1);
  std::vector<float> x(12), y(16), few(6);
  std::vector<bf16> half(12);
  const Shape s{1, 2, 2, 3};
  CHECK(error_of([&] {
          relu_forward(context, view(x, s), view(y, {1, 2, 2, 4}));
        }) == "relu forward: y has shape (1,2,2,4), expected (1,2,2,3)");
  CHECK(error_of([&] { relu_forward(context, view(x, s), view(half, s)); }) ==
        "relu forward: y is bf16, expected fp32");
  CHECK(error_of([&] { relu_backward(context, view(x, s), {}, view(x, s), kOverwrite); }) ==
        "relu backward: dy is missing");
  CHECK(error_of([&] {
          relu_backward(context, view(x, s), view(x, s), view(x, s), kAccumulate);
        }).find("dx is dy") != std::string::npos);
  CHECK(error_of([&] {
          tanh_output_forward(context, view(x, s), view(few, {1, 1, 2, 3}));
        }) == "tanh_output forward: y has shape (1,1,2,3), expected (1,2,2,3)");
  CHECK(error_of([&] { copy(context, {}, view(x, s)); }) == "copy: x is missing");
  CHECK(error_of([&] {
          channel_affine_forward(context, view(x, s), x.data(), x.data(), view(few, {1, 1, 2, 3}));
        }) == "channel_affine forward: y has shape (1,1,2,3), expected (1,2,2,3)");
  CHECK(error_of([&] { channel_affine_forward(context, view(x, s), nullptr, x.data(), view(x, s)); }) ==
        "channel_affine forward: mean and scale must both be given");
}

}  // namespace chiaro
