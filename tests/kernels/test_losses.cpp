// mse, total variation and range.
#include "kernels/losses/losses_reference.hpp"
#include "tests/kernels/loss_testing.hpp"

namespace chiaro::testing {

namespace {

const Shape kLossShapes[] = {{2, 9, 7, 3},   {1, 70, 80, 5}, {3, 16, 8, 16}, {2, 1, 6, 3},  {2, 6, 1, 3},
                             {2, 13, 11, 3}, {3, 8, 9, 8},   {1, 1, 17, 16}, {2, 40, 1, 5}, {1, 1, 1, 1}};

// What every loss of one op has in common.
LossCase one_pass_case(const Shape& s, const char* kernel) {
  return {.shape = s,
          .scale = 0.7,
          .gradient_scale = 3,
          .gradient = std::vector<double>(std::size_t(s.count())),
          .value_launches = {kernel, "finish_sum"},
          .gradient_launches = {kernel},
          .both_launches = {kernel, "finish_sum"}};
}

template <class A, class B, class D>
void check_mse(const Shape& s, std::int64_t pictures, std::int64_t offset) {
  CAPTURE(pictures);
  const Shape target{pictures, s.h, s.w, s.c};
  const auto a = random_values<A>(s.count(), 1);
  const auto b = random_values<B>(target.count(), 2);
  const auto da = convert<double>(a), db = convert<double>(b);
  LossCase c = one_pass_case(s, "mse");
  c.value = losses::reference::mse(da.data(), s, db.data(), pictures, c.scale);
  losses::reference::mse(da.data(), s, db.data(), pictures, c.gradient_scale, c.gradient.data());
  check_loss<D>(
      c, offset,
      [&](Context& context) {
        return std::unique_ptr<PairInputs<A, B>>(
            new PairInputs<A, B>{{context, a, offset}, {context, b, offset}});
      },
      [&](Context& context) { return losses::mse_workspace_bytes(context, s); },
      [&](Context& context, const PairInputs<A, B>& in, const losses::Request& request) {
        losses::mse(context, in.a.view(s), in.b.view(target), request);
      });
}

template <class T, class D>
void check_total_variation(const Shape& s, std::int64_t offset) {
  const auto x = random_values<T>(s.count(), 1, 0, 255);
  const auto exact = convert<double>(x);
  LossCase c = one_pass_case(s, "total_variation");
  c.scale = 200;
  c.value = losses::reference::tv(exact.data(), s, c.scale);
  losses::reference::tv(exact.data(), s, c.gradient_scale, c.gradient.data());
  check_loss<D>(
      c, offset, [&](Context& context) { return std::make_unique<OpArray<T>>(context, x, offset); },
      [&](Context& context) { return losses::tv_workspace_bytes(context, s); },
      [&](Context& context, const OpArray<T>& in, const losses::Request& request) {
        losses::tv(context, in.view(s), request);
      });
}

template <class T, class D>
void check_range(const Shape& s, std::int64_t offset) {
  const auto x = random_values<T>(s.count(), 1, -100, 400);
  const auto exact = convert<double>(x);
  LossCase c = one_pass_case(s, "range");
  c.value = losses::reference::range(exact.data(), s, -3.5, 255, c.scale);
  losses::reference::range(exact.data(), s, -3.5, 255, c.gradient_scale, c.gradient.data());
  check_loss<D>(
      c, offset, [&](Context& context) { return std::make_unique<OpArray<T>>(context, x, offset); },
      [&](Context& context) { return losses::range_workspace_bytes(context, s); },
      [&](Context& context, const OpArray<T>& in, const losses::Request& request) {
        losses::range(context, in.view(s), -3.5f, 255, request);
      });
}

}  // namespace

TEST_CASE("losses: mse matches the reference in every mixture of types, one target or many") {
  for (const Shape& s : kLossShapes)
    for (const std::int64_t pictures : {std::int64_t{1}, s.n})
      for (const std::int64_t offset : {0, 1}) {
        check_mse<float, float, float>(s, pictures, offset);
        check_mse<bf16, bf16, bf16>(s, pictures, offset);
        check_mse<float, bf16, float>(s, pictures, offset);
        check_mse<bf16, float, float>(s, pictures, offset);
      }
}

TEST_CASE("losses: total variation matches the reference") {
  for (const Shape& s : kLossShapes)
    for (const std::int64_t offset : {0, 1}) {
      check_total_variation<float, float>(s, offset);
      check_total_variation<bf16, bf16>(s, offset);
      check_total_variation<float, bf16>(s, offset);
    }
}

TEST_CASE("losses: range matches the reference") {
  for (const Shape& s : kLossShapes)
    for (const std::int64_t offset : {0, 1}) {
      check_range<float, float>(s, offset);
      check_range<bf16, bf16>(s, offset);
      check_range<bf16, float>(s, offset);
    }
}

TEST_CASE("losses: range is 0 inside and keeps NaN") {
  Context context = context_under_test();
  const Shape s{1, 2, 2, 1};
  const auto run = [&](const std::vector<float>& values) {
    const OpArray<float> x(context, values);
    return value_and_gradient(
        s, losses::range_workspace_bytes(context, s), context, 1, 1,
        [&](const losses::Request& r) { losses::range(context, x.view(s), 0, 255, r); });
  };
  CHECK(run({0, 255, 100, 128}) == std::vector<float>(5, 0.0f));
  const auto found = run({0, 255, NAN, 128});
  CHECK(std::isnan(found[0]));
  CHECK(std::isnan(found[3]));
}

TEST_CASE("losses: value and gradient of weighted losses in integers") {
  Context context = context_under_test(2);
  const Shape s{1, 2, 2, 1};
  const OpArray<float> a(context, {5, 1, 2, 0}), b(context, {1, 1, 4, 0});
  CHECK(value_and_gradient(s, losses::mse_workspace_bytes(context, s), context, 0.5, 4,
                           [&](const losses::Request& r) {
                             losses::mse(context, a.view(s), b.view(s), r);
                           }) == std::vector<float>{0.5f * (16 + 4), 8 * 4, 0, -8 * 2, 0});
  // Two differences along either axis.
  CHECK(value_and_gradient(s, losses::tv_workspace_bytes(context, s), context, 2, 8,
                           [&](const losses::Request& r) { losses::tv(context, a.view(s), r); }) ==
        std::vector<float>{(16 + 4) + (9 + 1), 8 * (4 + 3), 8 * (-4 + 1), 8 * (2 - 3), 8 * (-2 - 1)});
  CHECK(value_and_gradient(s, losses::range_workspace_bytes(context, s), context, 2, 8,
                           [&](const losses::Request& r) { losses::range(context, a.view(s), 1, 3, r); }) ==
        std::vector<float>{2 * (4 + 1), 16 * 2, 0, 0, -16 * 1});
}

TEST_CASE("losses: the gradient may take the place of what it is the gradient of") {
  Context context = context_under_test();
  const Shape s{1, 1, 1, 4};
  const OpArray<float> a(context, {5, 1, 2, 0}), b(context, {1, 1, 4, 0});
  losses::mse(context, a.view(s), b.view(s), {.gradient = a.view(s), .mode = GradientMode::Overwrite});
  CHECK(a.host() == std::vector<float>{8, 0, -4, 0});
}

TEST_CASE("losses: total variation of a ramp") {
  Context context = context_under_test(2);
  const Shape s{1, 2, 3, 1};
  const OpArray<float> x(context, {0, 1, 2, 3, 4, 5});  // horizontal steps of 1, vertical steps of 3
  OpArray<float> value(context, 1);
  const Workspace workspace(context, losses::tv_workspace_bytes(context, s));
  losses::tv(context, x.view(s), {.value = value.data(), .scale = 2, .workspace = workspace.data()});
  CHECK(value.first() == 2 * (1 + 9));
}

TEST_CASE("losses: integers are exact, mixed types, many blocks") {
  const Shape s{1, 300, 250, 8};  // more vectors than one pass of a grid takes
  const auto a = integer_values<bf16>(s.count(), 1);
  const auto b = integer_values<float>(s.count(), 2);
  double exact = 0;
  for (std::int64_t i = 0; i < s.count(); ++i)
    exact += (double(float(a[i])) - b[i]) * (double(float(a[i])) - b[i]);
  Context context = context_under_test(2);
  const OpArray<bf16> x(context, a);
  const OpArray<float> y(context, b);
  const auto found =
      value_and_gradient(s, losses::mse_workspace_bytes(context, s), context, 0.5, 1.5,
                         [&](const losses::Request& r) { losses::mse(context, x.view(s), y.view(s), r); });
  CHECK(found[0] == float(0.5 * exact));
  for (std::int64_t i = 0; i < s.count(); i += 97) CHECK(found[i + 1] == 3 * (float(a[i]) - b[i]));
}

TEST_CASE("losses: sums of 16 million elements are good to 1e-7 on the CPU") {
  if (!on_cpu()) return;
  Context context = context_under_test(2);
  const Shape s{1, 2048, 2731, 3};
  const auto a = random_values<float>(s.count(), 1, 0, 255);
  const OpArray<float> x(context, a), y(context, std::vector<float>(a.size(), 100.5f)), value(context, 1);
  const Workspace workspace(context, losses::mse_workspace_bytes(context, s));
  double exact = 0;
  for (const float v : a) exact += (double(v) - 100.5) * (double(v) - 100.5);
  losses::mse(context, x.view(s), y.view(s), {.value = value.data(), .workspace = workspace.data()});
  CHECK(std::abs(value.first() - exact) <= 1e-7 * exact);
}

TEST_CASE("losses: every barrier is needed, and its absence found") {
  const Shape s{1, 32, 40, 8};
  // block_sum's first barrier guards against a second call, which these kernels do not make.
  check_barriers_are_needed(
      [&](Context& context) {
        const OpArray<float> x(context, normal_values<float>(s.count(), 1)),
            y(context, normal_values<float>(s.count(), 2)), value(context, 1);
        const Workspace workspace(context, losses::mse_workspace_bytes(context, s));
        losses::mse(context, x.view(s), y.view(s), {.value = value.data(), .workspace = workspace.data()});
        return OpBits() << value;
      },
      1);
}

TEST_CASE("losses: reference gradients match finite differences") {
  const Shape s{2, 4, 3, 2};
  const auto x = convert<double>(random_values<float>(s.count(), 1, -3, 3));
  const auto b = convert<double>(random_values<float>(s.count() / 2, 2));
  std::vector<double> dx(x.size());
  losses::reference::mse(x.data(), s, b.data(), 1, 0.7, dx.data());
  check_gradient(x, dx, [&](const std::vector<double>& at) {
    return losses::reference::mse(at.data(), s, b.data(), 1, 0.7);
  });
  losses::reference::tv(x.data(), s, 3.0, dx.data());
  check_gradient(x, dx,
                 [&](const std::vector<double>& at) { return losses::reference::tv(at.data(), s, 3.0); });
  losses::reference::range(x.data(), s, -1, 1.5, 0.7, dx.data());
  check_gradient(x, dx, [&](const std::vector<double>& at) {
    return losses::reference::range(at.data(), s, -1, 1.5, 0.7);
  });
}

TEST_CASE("losses: wrong arguments are refused") {
  Context context = context_under_test();
  const OpArray<float> a(context, 12), b(context, 6);
  const auto x = a.view({2, 1, 2, 3});
  CHECK(error_of([&] {
          losses::mse(context, x, b.view({2, 1, 1, 3}), {});
        }) == "mse: b has shape (2,1,1,3), expected (2,1,2,3) or the same with one picture");
  CHECK(error_of([&] {
          losses::tv(context, x, {.gradient = b.view({1, 1, 2, 3}), .mode = GradientMode::Overwrite});
        }) == "total_variation: the gradient has shape (1,1,2,3), expected (2,1,2,3)");
  CHECK(contains(error_of([&] { losses::range(context, x, 0, 255, {.value = b.data()}); }),
                 "range: a workspace of "));
  CHECK(error_of([&] { losses::range(context, x, 2, 1, {}); }) == "range: from 2 to 1");
}

}  // namespace chiaro::testing
