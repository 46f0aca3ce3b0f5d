#include "kernels/losses/losses.hpp"
#include "kernels/losses/losses_reference.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

namespace {

const Shape kShapes[] = {{2, 9, 7, 3}, {1, 70, 80, 5}, {3, 16, 8, 16}, {2, 1, 6, 3}, {2, 6, 1, 3}};

template <class A, class B, class D>
void check_mse(Shape s, bool broadcast) {
  CAPTURE(to_string(s));
  const Shape sb = {broadcast ? 1 : s.n, s.h, s.w, s.c};
  const auto a = random_values<A>(s.count(), 1);
  const auto b = random_values<B>(sb.count(), 2);
  const auto before = random_values<D>(s.count(), 3);
  const double scale = 0.7, exact = losses::reference::mse_forward(convert<double>(a).data(), s,
                                                                   convert<double>(b).data(), sb.n, scale);
  const auto value = run_with_any_threads([&](Context& context) {
    std::vector<float> result(1);
    std::vector<double> workspace(losses::mse_workspace_bytes(context, s) / 8);
    losses::mse_forward(context, view(a, s), view(b, sb), scale, result.data(), workspace.data());
    return result;
  });
  CHECK(std::abs(value[0] - exact) <= 2e-7 * exact);
  for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
    const bool accumulate = mode == GradientMode::Accumulate;
    auto da = convert<double>(before);
    losses::reference::mse_backward(convert<double>(a).data(), s, convert<double>(b).data(), sb.n, scale,
                                    da.data(), accumulate);
    const auto found = run_with_any_threads([&](Context& context) {
      auto result = before;
      losses::mse_backward(context, view(a, s), view(b, sb), scale, view(result, s), mode);
      return result;
    });
    check_close(da, found, convert<D>(convert<float>(da)), 1);

    auto at_once = before;
    Context context(2);
    std::vector<double> workspace(losses::mse_workspace_bytes(context, s) / 8);
    std::vector<float> result(1);
    losses::mse_forward_backward(context, view(a, s), view(b, sb), scale, 1, result.data(), workspace.data(),
                                 view(at_once, s), mode);
    CHECK(result == value);
    CHECK(at_once == found);
  }
}

template <class T, class D>
void check_tv(Shape s) {
  CAPTURE(to_string(s));
  const auto x = random_values<T>(s.count(), 1, 0, 255);
  const auto before = random_values<D>(s.count(), 2);
  const double scale = 200, exact = losses::reference::tv_forward(convert<double>(x).data(), s, scale);
  const auto value = run_with_any_threads([&](Context& context) {
    std::vector<float> result(1);
    std::vector<double> workspace(losses::tv_workspace_bytes(context, s) / 8);
    losses::tv_forward(context, view(x, s), scale, result.data(), workspace.data());
    return result;
  });
  CHECK(std::abs(value[0] - exact) <= 2e-7 * exact);
  for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
    auto dx = convert<double>(before);
    losses::reference::tv_backward(convert<double>(x).data(), s, scale, dx.data(),
                                   mode == GradientMode::Accumulate);
    const auto found = run_with_any_threads([&](Context& context) {
      auto result = before;
      losses::tv_backward(context, view(x, s), scale, view(result, s), mode);
      return result;
    });
    check_close(dx, found, convert<D>(convert<float>(dx)), 4);

    auto at_once = before;
    Context context(2);
    std::vector<double> workspace(losses::tv_workspace_bytes(context, s) / 8);
    std::vector<float> result(1);
    losses::tv_forward_backward(context, view(x, s), scale, 1, result.data(), workspace.data(),
                                view(at_once, s), mode);
    CHECK(result == value);
    CHECK(at_once == found);
  }
}

}  // namespace

TEST_CASE("losses: mse matches the reference in every mixture of types, with and without broadcast") {
  for (const Shape s : kShapes)
    for (const bool broadcast : {false, true}) {
      check_mse<float, float, float>(s, broadcast);
      check_mse<bf16, bf16, bf16>(s, broadcast);
      check_mse<float, bf16, float>(s, broadcast);
      check_mse<bf16, float, float>(s, broadcast);
    }
}

TEST_CASE("losses: total variation matches the reference") {
  for (const Shape s : kShapes) {
    check_tv<float, float>(s);
    check_tv<bf16, bf16>(s);
    check_tv<float, bf16>(s);
  }
}

TEST_CASE_TEMPLATE("losses: range matches the reference", T, float, bf16) {
  for (const Shape s : kShapes)
    for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
      CAPTURE(to_string(s));
      const auto x = random_values<T>(s.count(), 1, -100, 400);
      const auto before = random_values<float>(s.count(), 2);
      const double scale = 0.3,
                   exact = losses::reference::range_forward(convert<double>(x).data(), s, 0, 255, scale);
      auto dx = convert<double>(before);
      losses::reference::range_backward(convert<double>(x).data(), s, 0, 255, 2 * scale, dx.data(), false);
      if (mode == GradientMode::Accumulate)
        for (std::size_t i = 0; i < dx.size(); ++i) dx[i] += double(before[i]);
      run_with_any_threads([&](Context& context) {
        auto gradient = before;
        float value = NAN, alone = NAN;
        std::vector<double> workspace(losses::range_workspace_bytes(context, s) / 8);
        losses::RangeArgs args{.x = view(x, s),
                               .scale = scale,
                               .weight = 2,
                               .value = &value,
                               .workspace = workspace.data(),
                               .dx = view(gradient, s),
                               .mode = mode};
        losses::range(context, args);
        CHECK(std::abs(value - exact) <= 2e-7 * exact);
        check_close(dx, gradient, gradient, 1);
        args.mode = GradientMode::Ignore;
        args.value = &alone;
        losses::range(context, args);
        CHECK(alone == value);
        gradient.push_back(value);
        return gradient;
      });
    }
}

TEST_CASE(
    "losses: range is 0 inside, keeps NaN, and its reference's gradient is that of finite differences") {
  Context context(1);
  std::vector<float> x{0, 255, 100, 128}, dx(4, NAN);
  float value = NAN;
  std::vector<double> workspace(1);
  losses::RangeArgs args{.x = view(std::as_const(x), {1, 2, 2, 1}),
                         .value = &value,
                         .workspace = workspace.data(),
                         .dx = view(dx, {1, 2, 2, 1}),
                         .mode = GradientMode::Overwrite};
  losses::range(context, args);
  CHECK(value == 0);
  CHECK(dx == std::vector<float>{0, 0, 0, 0});
  x[2] = NAN;
  losses::range(context, args);
  CHECK(std::isnan(value));
  CHECK(std::isnan(dx[2]));

  const Shape s{1, 3, 4, 2};
  const auto at = convert<double>(random_values<float>(s.count(), 1, -3, 3));
  std::vector<double> gradient(at.size());
  losses::reference::range_backward(at.data(), s, -1, 1.5, 0.7, gradient.data(), false);
  check_gradient(at, gradient, [&](const std::vector<double>& values) {
    return losses::reference::range_forward(values.data(), s, -1, 1.5, 0.7);
  });
}

TEST_CASE("losses: total variation of a ramp") {
  Context context(2);
  const Shape s = {1, 2, 3, 1};
  const std::vector<float> x = {0, 1, 2, 3, 4, 5};  // horizontal steps of 1, vertical steps of 3
  float value = 0;
  std::vector<double> workspace(losses::tv_workspace_bytes(context, s) / 8);
  losses::tv_forward(context, view(x, s), 2.0, &value, workspace.data());
  CHECK(value == 2 * (1 + 9));
}

TEST_CASE("losses: sums of 16 million elements are good to 1e-7") {
  Context context(2);
  const Shape s = {1, 2048, 2731, 3};
  const auto a = random_values<float>(s.count(), 1, 0, 255);
  const std::vector<float> b(a.size(), 100.5f);
  std::vector<double> workspace(
      std::max(losses::mse_workspace_bytes(context, s), losses::tv_workspace_bytes(context, s)) / 8);
  double exact = 0;
  for (const float x : a) exact += (double(x) - 100.5) * (double(x) - 100.5);
  float value = 0;
  losses::mse_forward(context, view(a, s), view(b, s), 1.0, &value, workspace.data());
  CHECK(std::abs(value - exact) <= 1e-7 * exact);
}

TEST_CASE("losses: reference gradients match finite differences") {
  const Shape s = {2, 4, 3, 2};
  const auto x = convert<double>(random_values<float>(s.count(), 1));
  const auto b = convert<double>(random_values<float>(s.count() / 2, 2));
  std::vector<double> dx(x.size());
  losses::reference::mse_backward(x.data(), s, b.data(), 1, 0.7, dx.data(), false);
  check_gradient(x, dx, [&](const std::vector<double>& at) {
    return losses::reference::mse_forward(at.data(), s, b.data(), 1, 0.7);
  });
  losses::reference::tv_backward(x.data(), s, 3.0, dx.data(), false);
  check_gradient(
      x, dx, [&](const std::vector<double>& at) { return losses::reference::tv_forward(at.data(), s, 3.0); });
}

TEST_CASE("losses: value and gradient at once, of a weighted loss in integers") {
  Context context(2);
  const Shape s = {1, 2, 2, 1};
  const std::vector<float> a = {5, 1, 2, 0}, b = {1, 1, 4, 0};
  std::vector<float> da(4, 100), dx(4, 100);
  std::vector<double> workspace(
      std::max(losses::mse_workspace_bytes(context, s), losses::tv_workspace_bytes(context, s)) / 8);
  float value = 0;
  losses::mse_forward_backward(context, view(a, s), view(b, s), 0.5, 8, &value, workspace.data(), view(da, s),
                               GradientMode::Accumulate);
  CHECK(value == 0.5f * (16 + 4));
  CHECK(da == std::vector<float>{100 + 8 * 4, 100, 100 - 8 * 2, 100});
  losses::tv_forward_backward(context, view(a, s), 2, 4, &value, workspace.data(), view(dx, s),
                              GradientMode::Overwrite);
  CHECK(value == (16 + 4) + (9 + 1));  // two differences along either axis
  CHECK(dx == std::vector<float>{8 * (4 + 3), 8 * (-4 + 1), 8 * (2 - 3), 8 * (-2 - 1)});
  losses::tv_forward_backward(context, view(a, s), 4, 4, &value, workspace.data(), {}, GradientMode::Ignore);
  CHECK(value == 2 * ((16 + 4) + (9 + 1)));
}

TEST_CASE("losses: wrong arguments are refused") {
  Context context(1);
  std::vector<float> a(12), b(6);
  std::vector<double> workspace(8);
  float value = 0;
  CHECK(error_of([&] {
          losses::mse_forward(context, view(a, {2, 1, 2, 3}), view(b, {2, 1, 1, 3}), 1, &value,
                              workspace.data());
        }) == "mse: b has shape (2,1,1,3), expected (2,1,2,3) or the same with one picture");
  CHECK(error_of([&] {
          losses::tv_backward(context, view(a, {2, 1, 2, 3}), 1, view(b, {1, 1, 2, 3}),
                              GradientMode::Overwrite);
        }) == "total_variation: the gradient has shape (1,1,2,3), expected (2,1,2,3)");
}

}  // namespace chiaro
