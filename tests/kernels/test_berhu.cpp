#include <limits>

#include "kernels/losses/berhu.hpp"
#include "kernels/losses/berhu_reference.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

namespace {

// Depths in meters with a third of the pixels missing.
std::vector<float> depths_with_holes(std::int64_t count, unsigned seed) {
  auto depth = random_values<float>(count, seed, 0.5, 10);
  for (std::int64_t i = 0; i < count; i += 3) depth[i] = 0;
  return depth;
}

struct Result {
  float value = -1;
  float state[losses::kBerhuStateSize] = {-1, -1};
};

template <class T>
Result forward(Context& context, const std::vector<T>& prediction, const std::vector<float>& target, Shape s,
               double scale) {
  Result result;
  std::vector<double> workspace(losses::berhu_workspace_bytes(context, s) / 8);
  losses::berhu_forward(context, view(prediction, s), view(target, s), scale, &result.value, result.state,
                        workspace.data());
  return result;
}

template <class T, class D>
void check_berhu(Shape s) {
  CAPTURE(to_string(s));
  const std::int64_t count = s.count();
  const double scale = 0.7;
  const auto prediction = random_values<T>(count, 1, 0, 10);
  const auto target = depths_with_holes(count, 2);
  const auto before = random_values<D>(count, 3);
  const auto exact_prediction = convert<double>(prediction), exact_target = convert<double>(target);
  double c = 0;
  std::int64_t m = 0;
  losses::reference::berhu_state(exact_prediction.data(), exact_target.data(), count, &c, &m);
  const double exact =
      losses::reference::berhu_forward(exact_prediction.data(), exact_target.data(), count, c, m, scale);
  const auto found = run_with_any_threads([&](Context& context) {
    const Result r = forward(context, prediction, target, s, scale);
    return std::vector<float>{r.value, r.state[0], r.state[1]};
  });
  CHECK(std::abs(found[0] - exact) <= 3e-7 * exact);
  CHECK(std::abs(found[1] - c) <= 2e-7 * c);
  CHECK(found[2] == float(1 / double(m)));
  for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
    auto gradient = convert<double>(before);
    std::vector<double> plain(gradient.size());
    losses::reference::berhu_backward(exact_prediction.data(), exact_target.data(), count, c, m, scale,
                                      plain.data(), false);
    for (std::size_t i = 0; i < gradient.size(); ++i)
      gradient[i] = (mode == GradientMode::Accumulate ? gradient[i] : 0) + plain[i];
    const auto result = run_with_any_threads([&](Context& context) {
      auto d = before;
      losses::berhu_backward(context, view(prediction, s), view(target, s), &found[1], scale, view(d, s),
                             mode);
      return d;
    });
    check_close(gradient, result, convert<D>(convert<float>(gradient)), 1);
  }
}

}  // namespace

TEST_CASE("berhu: forward and backward match the reference in every mixture of types") {
  for (const Shape s : {Shape{2, 9, 7, 1}, Shape{3, 120, 160, 1}, Shape{1, 1, 1, 2}, Shape{2, 3, 5, 3}}) {
    check_berhu<float, float>(s);
    check_berhu<bf16, bf16>(s);
    check_berhu<bf16, float>(s);
    check_berhu<float, bf16>(s);
  }
}

// Residuals 5, -1, 1/2, 0 and 2 meters: c = 1.
TEST_CASE("berhu: values worked by hand") {
  Context context(2);
  const Shape s = {1, 1, 7, 1};
  const std::vector<float> target = {5, 5, 5, 5, 5, 0, -1}, prediction = {10, 4, 5.5, 5, 7, 100, 100};
  const Result r = forward(context, prediction, target, s, 1);
  CHECK(r.state[0] == 1);
  CHECK(r.state[1] == 0.2f);
  CHECK(r.value == doctest::Approx((13.0 + 1 + 0.5 + 0 + 2.5) / 5));
  std::vector<float> d(7, -9.f);
  losses::berhu_backward(context, view(prediction, s), view(target, s), r.state, 5, view(d, s),
                         GradientMode::Overwrite);
  CHECK(d == std::vector<float>{5, -1, 1, 0, 2, 0, 0});
  losses::berhu_backward(context, view(prediction, s), view(target, s), r.state, 5, view(d, s),
                         GradientMode::Accumulate);
  CHECK(d == std::vector<float>{10, -2, 2, 0, 4, 0, 0});
}

TEST_CASE("berhu: reference gradient matches finite differences with c held") {
  const std::int64_t count = 60;
  const auto prediction = convert<double>(random_values<float>(count, 1, 0, 10));
  const auto target = convert<double>(depths_with_holes(count, 2));
  double c = 0;
  std::int64_t m = 0;
  losses::reference::berhu_state(prediction.data(), target.data(), count, &c, &m);
  std::vector<double> gradient(prediction.size());
  losses::reference::berhu_backward(prediction.data(), target.data(), count, c, m, 3.0, gradient.data(),
                                    false);
  check_gradient(prediction, gradient, [&](const std::vector<double>& at) {
    return losses::reference::berhu_forward(at.data(), target.data(), count, c, m, 3.0);
  });
}

TEST_CASE("berhu: a batch without valid pixels, or without error, gives 0 and no gradient") {
  Context context(2);
  const Shape s = {2, 1, 3, 1};
  const std::vector<float> prediction = {1, 2, 3, 4, 5, 6};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const auto& target : {std::vector<float>{0, -1, nan, 0, 0, 0}, prediction}) {
    const Result r = forward(context, prediction, target, s, 1);
    CHECK(r.value == 0);
    CHECK(r.state[0] == 0);
    std::vector<float> d(6, 9.f);
    losses::berhu_backward(context, view(prediction, s), view(target, s), r.state, 1, view(d, s),
                           GradientMode::Overwrite);
    CHECK(d == std::vector<float>(6, 0.f));
  }
}

TEST_CASE("berhu: NaN counts where the target is valid only") {
  Context context(1);
  const Shape s = {1, 1, 2, 1};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(forward<float>(context, {nan, 1}, {1, 3}, s, 1).value));
  CHECK(forward<float>(context, {nan, 1}, {0, 3}, s, 1).value == doctest::Approx((4 + 0.16) / 0.8));
}

TEST_CASE("berhu: wrong arguments are refused") {
  Context context(1);
  std::vector<float> a(6), b(3);
  std::vector<bf16> half(6);
  float value = 0, state[2];
  CHECK(error_of([&] {
          losses::berhu_forward(context, view(a, {2, 1, 3, 1}), view(b, {1, 1, 3, 1}), 1, &value, state,
                                &value);
        }) == "berhu: the target has shape (1,1,3,1), expected (2,1,3,1)");
  CHECK(error_of([&] {
          losses::berhu_forward(context, view(a, {2, 1, 3, 1}), view(half, {2, 1, 3, 1}), 1, &value, state,
                                &value);
        }) == "berhu: the target is bf16, expected fp32");
  CHECK(error_of([&] {
          losses::berhu_backward(context, view(a, {2, 1, 3, 1}), view(a, {2, 1, 3, 1}), state, 1,
                                 view(b, {1, 1, 3, 1}), GradientMode::Overwrite);
        }) == "berhu: the gradient has shape (1,1,3,1), expected (2,1,3,1)");
}

}  // namespace chiaro
