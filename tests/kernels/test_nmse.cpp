#include <limits>

#include "kernels/losses/nmse.hpp"
#include "kernels/losses/nmse_reference.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

namespace {

// The value, then the inverses.
template <class A, class B>
std::vector<float> forward(Context& context, const std::vector<A>& a, const std::vector<B>& b, Shape s,
                           double scale) {
  std::vector<float> result(1 + static_cast<std::size_t>(s.n), -1.f);
  std::vector<double> workspace(static_cast<std::size_t>(losses::nmse_workspace_bytes(context, s) / 8));
  losses::nmse_forward(context, view(a, s), view(b, s), scale, result.data(), result.data() + 1,
                       workspace.data());
  return result;
}

template <class A, class B, class D>
void check_nmse(Shape s) {
  CAPTURE(to_string(s));
  const std::int64_t count = s.count();
  const double scale = 0.7;
  const auto a = random_values<A>(count, 1, 0, 3);
  const auto b = random_values<B>(count, 2, 0, 3);
  const auto before = random_values<D>(count, 3);
  const auto exact_a = convert<double>(a), exact_b = convert<double>(b);
  const double exact = losses::reference::nmse_forward(exact_a.data(), s, exact_b.data(), scale);
  const auto found = run_with_any_threads([&](Context& context) { return forward(context, a, b, s, scale); });
  CHECK(std::abs(found[0] - exact) <= 3e-7 * exact);
  for (std::int64_t n = 0; n < s.n; ++n) {
    const double inverse = 1 / losses::reference::picture_energy(exact_b.data(), s, n);
    CHECK(found[static_cast<std::size_t>(n) + 1] == doctest::Approx(inverse).epsilon(1e-7));
  }
  for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
    auto gradient = convert<double>(before);
    losses::reference::nmse_backward(exact_a.data(), s, exact_b.data(), scale, gradient.data(),
                                     mode == GradientMode::Accumulate);
    const auto result = run_with_any_threads([&](Context& context) {
      auto d = before;
      losses::nmse_backward(context, view(a, s), view(b, s), found.data() + 1, scale, view(d, s), mode);
      return d;
    });
    check_close(gradient, result, convert<D>(convert<float>(gradient)), 1);
  }
}

}  // namespace

TEST_CASE("relative error: forward and backward match the reference in every mixture of types") {
  for (const Shape s : {Shape{2, 9, 7, 3}, Shape{3, 40, 30, 17}, Shape{1, 1, 1, 1}, Shape{4, 64, 64, 1}}) {
    check_nmse<float, float, float>(s);
    check_nmse<bf16, bf16, bf16>(s);
    check_nmse<bf16, float, bf16>(s);
    check_nmse<float, bf16, float>(s);
  }
}

// Picture 0: errors 1 and 2 of (3, 4): 5/25. Picture 1: nothing is wanted. Picture 2: nothing is given.
TEST_CASE("relative error: values worked by hand") {
  Context context(2);
  const Shape s{3, 1, 1, 2};
  const std::vector<float> a{4, 6, 7, 7, 0, 0}, b{3, 4, 0, 0, 1, 1};
  const auto found = forward(context, a, b, s, 1);
  CHECK(found[0] == doctest::Approx(0.2 + 1));
  CHECK(found[2] == 0);
  std::vector<float> d(6, 9.f);
  losses::nmse_backward(context, view(a, s), view(b, s), found.data() + 1, 1, view(d, s),
                        GradientMode::Overwrite);
  const std::vector<float> expected{2 / 25.f, 4 / 25.f, 0, 0, -1, -1};
  for (std::size_t i = 0; i < d.size(); ++i) CHECK(d[i] == doctest::Approx(expected[i]));
}

TEST_CASE("relative error: reference gradient matches finite differences") {
  const Shape s{3, 2, 3, 2};
  const auto a = random_values<double>(s.count(), 1), b = random_values<double>(s.count(), 2);
  std::vector<double> gradient(a.size());
  losses::reference::nmse_backward(a.data(), s, b.data(), 3.0, gradient.data(), false);
  check_gradient(a, gradient, [&](const std::vector<double>& at) {
    return losses::reference::nmse_forward(at.data(), s, b.data(), 3.0);
  });
}

TEST_CASE("relative error: a value that is not a number is not hidden") {
  Context context(1);
  const Shape s{2, 1, 1, 1};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(forward<float, float>(context, {nan, 1}, {1, 1}, s, 1)[0]));
  CHECK(std::isnan(forward<float, float>(context, {1, 1}, {1, nan}, s, 1)[0]));
}

TEST_CASE("relative error: wrong arguments are refused") {
  Context context(1);
  std::vector<float> a(6), b(3);
  float value = 0, inverse[2];
  CHECK(error_of([&] {
          losses::nmse_forward(context, view(a, {2, 1, 3, 1}), view(b, {1, 1, 3, 1}), 1, &value, inverse,
                               &value);
        }) == "relative error: b has shape (1,1,3,1), expected (2,1,3,1)");
  CHECK(error_of([&] {
          losses::nmse_backward(context, view(a, {2, 1, 3, 1}), view(a, {2, 1, 3, 1}), inverse, 1,
                                view(b, {1, 1, 3, 1}), GradientMode::Overwrite);
        }) == "relative error: the gradient has shape (1,1,3,1), expected (2,1,3,1)");
}

}  // namespace chiaro
