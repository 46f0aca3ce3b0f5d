#include <limits>

#include "kernels/losses/losses_reference.hpp"
#include "tests/kernels/loss_testing.hpp"

namespace chiaro::testing {

namespace {

const Shape kNmseShapes[] = {{2, 9, 7, 3},   {3, 40, 30, 17}, {1, 1, 1, 1},   {4, 64, 64, 1},
                             {3, 13, 11, 3}, {2, 8, 9, 8},    {2, 60, 50, 8}, {2, 1, 1, 1}};

// nothing_wanted: the second picture's b is 0.
template <class A, class B, class D>
void check_nmse(const Shape& s, bool nothing_wanted, std::int64_t offset) {
  CAPTURE(nothing_wanted);
  const std::int64_t picture = s.count() / s.n;
  const auto a = random_values<A>(s.count(), 1, 0, 3);
  auto b = random_values<B>(s.count(), 2, 0, 3);
  if (nothing_wanted) std::fill_n(b.begin() + picture, picture, B(0.0f));
  const auto da = convert<double>(a), db = convert<double>(b);
  LossCase c{.shape = s,
             .scale = 0.7,
             .gradient_scale = 1.5,
             .gradient = std::vector<double>(std::size_t(s.count())),
             .tolerance = 3e-7,
             .value_launches = {"nmse_sums", "nmse_finish"},
             .gradient_launches = {"nmse_sums", "nmse_finish", "nmse_gradient"},
             .both_launches = {"nmse_sums", "nmse_finish", "nmse_gradient"}};
  c.value = losses::reference::nmse(da.data(), s, db.data(), c.scale);
  losses::reference::nmse(da.data(), s, db.data(), c.gradient_scale, c.gradient.data());
  check_loss<D>(
      c, offset,
      [&](Context& context) {
        return std::unique_ptr<PairInputs<A, B>>(
            new PairInputs<A, B>{{context, a, offset}, {context, b, offset}});
      },
      [&](Context& context) { return losses::nmse_workspace_bytes(context, s); },
      [&](Context& context, const PairInputs<A, B>& in, const losses::Request& request) {
        losses::nmse(context, in.a.view(s), in.b.view(s), request);
      });
}

std::vector<float> nmse_of(Context& context, const std::vector<float>& a, const std::vector<float>& b,
                           const Shape& s) {
  const OpArray<float> x(context, a), y(context, b);
  return value_and_gradient(
      s, losses::nmse_workspace_bytes(context, s), context, 1, 1,
      [&](const losses::Request& r) { losses::nmse(context, x.view(s), y.view(s), r); });
}

}  // namespace

TEST_CASE("relative error: value and gradient match the reference in every mixture of types") {
  for (const Shape& s : kNmseShapes)
    for (const bool nothing_wanted : {false, true})
      for (const std::int64_t offset : {0, 1}) {
        if (nothing_wanted && s.n == 1) continue;
        check_nmse<float, float, float>(s, nothing_wanted, offset);
        check_nmse<bf16, bf16, bf16>(s, nothing_wanted, offset);
        check_nmse<bf16, float, bf16>(s, nothing_wanted, offset);
        check_nmse<float, bf16, float>(s, nothing_wanted, offset);
      }
}

// Picture 0: errors 1 and 2 of (3, 4): 5/25. Picture 1: nothing is wanted. Picture 2: nothing is given.
TEST_CASE("relative error: values worked by hand") {
  Context context = context_under_test(2);
  const auto found = nmse_of(context, {4, 6, 7, 7, 0, 0}, {3, 4, 0, 0, 1, 1}, {3, 1, 1, 2});
  const std::vector<float> expected{0.2f + 1, 2 / 25.f, 4 / 25.f, 0, 0, -1, -1};
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == doctest::Approx(expected[i]));
}

TEST_CASE("relative error: the gradient may take the place of what it is the gradient of") {
  Context context = context_under_test();
  const Shape s{1, 1, 1, 2};
  const OpArray<float> a(context, {4, 6}), b(context, {3, 4}), value(context, 1);
  const Workspace workspace(context, losses::nmse_workspace_bytes(context, s));
  losses::nmse(context, a.view(s), b.view(s),
               {.value = value.data(),
                .gradient = a.view(s),
                .mode = GradientMode::Overwrite,
                .gradient_scale = 12.5,
                .workspace = workspace.data()});
  CHECK(value.first() == doctest::Approx(0.2));
  const auto found = a.host();
  CHECK(found[0] == doctest::Approx(1));
  CHECK(found[1] == doctest::Approx(2));
}

TEST_CASE("relative error: integers are exact, mixed types, many blocks") {
  const Shape s{2, 40, 100, 8};
  const auto a = integer_values<bf16>(s.count(), 1);
  const auto b = integer_values<float>(s.count(), 2);
  double total = 0;
  for (std::int64_t n = 0; n < s.n; ++n) {
    double error = 0, wanted = 0;
    for (std::int64_t i = n * s.count() / 2; i < (n + 1) * s.count() / 2; ++i) {
      error += (double(float(a[i])) - b[i]) * (double(float(a[i])) - b[i]);
      wanted += double(b[i]) * b[i];
    }
    total += error / wanted;
  }
  Context context = context_under_test(2);
  const OpArray<bf16> x(context, a);
  const OpArray<float> y(context, b);
  const auto found =
      value_and_gradient(s, losses::nmse_workspace_bytes(context, s), context, 0.5, 1,
                         [&](const losses::Request& r) { losses::nmse(context, x.view(s), y.view(s), r); });
  CHECK(found[0] == float(0.5 * total));
}

TEST_CASE("relative error: a value that is not a number is not hidden") {
  Context context = context_under_test();
  const Shape s{2, 1, 1, 1};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(nmse_of(context, {nan, 1}, {1, 1}, s)[0]));
  CHECK(std::isnan(nmse_of(context, {1, 1}, {1, nan}, s)[0]));
}

TEST_CASE("relative error: every barrier is needed, and its absence found") {
  const Shape s{2, 30, 40, 8};
  check_barriers_are_needed([&](Context& context) {
    const OpArray<float> x(context, normal_values<float>(s.count(), 1)),
        y(context, normal_values<float>(s.count(), 2)), value(context, 1), gradient(context, s.count());
    const Workspace workspace(context, losses::nmse_workspace_bytes(context, s));
    losses::nmse(context, x.view(s), y.view(s),
                 {.value = value.data(),
                  .gradient = gradient.view(s),
                  .mode = GradientMode::Overwrite,
                  .workspace = workspace.data()});
    return OpBits() << value << gradient;
  });
}

TEST_CASE("relative error: reference gradient matches finite differences") {
  const Shape s{3, 2, 3, 2};
  const auto a = random_values<double>(s.count(), 1), b = random_values<double>(s.count(), 2);
  std::vector<double> gradient(a.size());
  losses::reference::nmse(a.data(), s, b.data(), 3.0, gradient.data());
  check_gradient(a, gradient, [&](const std::vector<double>& at) {
    return losses::reference::nmse(at.data(), s, b.data(), 3.0);
  });
}

TEST_CASE("relative error: wrong arguments are refused") {
  Context context = context_under_test();
  const OpArray<float> a(context, 6), b(context, 3);
  const auto x = a.view({2, 1, 3, 1});
  CHECK(error_of([&] {
          losses::nmse(context, x, b.view({1, 1, 3, 1}), {});
        }) == "relative error: b has shape (1,1,3,1), expected (2,1,3,1)");
  CHECK(error_of([&] {
          losses::nmse(
              context, x, x,
              {.gradient = b.view({1, 1, 3, 1}), .mode = GradientMode::Overwrite, .workspace = b.data()});
        }) == "relative error: the gradient has shape (1,1,3,1), expected (2,1,3,1)");
  CHECK(contains(
      error_of([&] { losses::nmse(context, x, x, {.gradient = x, .mode = GradientMode::Overwrite}); }),
      "relative error: a workspace of "));
}

}  // namespace chiaro::testing
