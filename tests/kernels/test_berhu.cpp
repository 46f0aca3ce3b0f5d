#include <limits>

#include "kernels/losses/losses_reference.hpp"
#include "tests/kernels/loss_testing.hpp"

namespace chiaro::testing {

namespace {

// Depths in meters of which every third is missing, some as NaN.
std::vector<float> depths_with_holes(std::int64_t count, unsigned seed) {
  auto depth = random_values<float>(count, seed, 0.5, 10);
  for (std::int64_t i = 0; i < count; i += 3) depth[i] = i % 2 ? std::nanf("") : 0.0f;
  return depth;
}

template <class T, class D>
void check_berhu(const Shape& s, std::int64_t offset) {
  const auto prediction = random_values<T>(s.count(), 1, 0, 10);
  const auto target = depths_with_holes(s.count(), 2);
  const auto p = convert<double>(prediction), t = convert<double>(target);
  LossCase c{.shape = s,
             .scale = 0.7,
             .gradient_scale = 1.5,
             .gradient = std::vector<double>(std::size_t(s.count())),
             .tolerance = 3e-7,
             .value_launches = {"berhu_extent", "berhu_sum", "finish_sum"},
             .gradient_launches = {"berhu_extent", "berhu_sum", "berhu_gradient"},
             .both_launches = {"berhu_extent", "berhu_sum", "finish_sum", "berhu_gradient"}};
  const double corner = losses::reference::berhu_corner(p.data(), t.data(), s.count());
  c.value = losses::reference::berhu(p.data(), t.data(), s.count(), corner, c.scale);
  // It jumps at d = 0 only, where no residual lies.
  losses::reference::berhu(p.data(), t.data(), s.count(), corner, c.gradient_scale, c.gradient.data());
  check_loss<D>(
      c, offset,
      [&](Context& context) {
        return std::unique_ptr<PairInputs<T, float>>(
            new PairInputs<T, float>{{context, prediction, offset}, {context, target, offset}});
      },
      [&](Context& context) { return losses::berhu_workspace_bytes(context, s); },
      [&](Context& context, const PairInputs<T, float>& in, const losses::Request& request) {
        losses::berhu(context, in.a.view(s), in.b.view(s), request);
      });
}

std::vector<float> berhu_of(Context& context, const std::vector<float>& prediction,
                            const std::vector<float>& target, const Shape& s, double gradient_scale = 1) {
  const OpArray<float> x(context, prediction), y(context, target);
  return value_and_gradient(
      s, losses::berhu_workspace_bytes(context, s), context, 1, gradient_scale,
      [&](const losses::Request& r) { losses::berhu(context, x.view(s), y.view(s), r); });
}

}  // namespace

TEST_CASE("berhu: value and gradient match the reference in every mixture of types") {
  for (const Shape& s : {Shape{2, 9, 7, 1}, Shape{3, 120, 160, 1}, Shape{1, 1, 1, 2}, Shape{2, 3, 5, 3},
                         Shape{2, 30, 41, 1}, Shape{1, 1, 2, 1}, Shape{1, 200, 210, 1}})
    for (const std::int64_t offset : {0, 1}) {
      check_berhu<float, float>(s, offset);
      check_berhu<bf16, bf16>(s, offset);
      check_berhu<bf16, float>(s, offset);
      check_berhu<float, bf16>(s, offset);
    }
}

// Residuals 5, -1, 1/2, 0 and 2 meters: c = 1.
TEST_CASE("berhu: values worked by hand") {
  Context context = context_under_test(2);
  auto found = berhu_of(context, {10, 4, 5.5, 5, 7, 100, 100}, {5, 5, 5, 5, 5, 0, -1}, {1, 1, 7, 1}, 5);
  CHECK(found[0] == doctest::Approx((13.0 + 1 + 0.5 + 0 + 2.5) / 5));
  found.erase(found.begin());
  CHECK(found == std::vector<float>{5, -1, 1, 0, 2, 0, 0});
}

TEST_CASE("berhu: a batch without valid pixels, or without error, gives 0 and no gradient") {
  Context context = context_under_test(2);
  const std::vector<float> prediction = {1, 2, 3, 4, 5, 6};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const auto& target : {std::vector<float>{0, -1, nan, 0, 0, 0}, prediction})
    CHECK(berhu_of(context, prediction, target, {2, 1, 3, 1}) == std::vector<float>(7, 0.0f));
}

TEST_CASE("berhu: NaN counts where the target is valid only") {
  Context context = context_under_test();
  const Shape s{1, 1, 2, 1};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(berhu_of(context, {nan, 1}, {1, 3}, s)[0]));
  CHECK(berhu_of(context, {nan, 1}, {0, 3}, s)[0] == doctest::Approx((4 + 0.16) / 0.8));
}

TEST_CASE("berhu: every barrier is needed, and its absence found") {
  const Shape s{1, 30, 50, 1};
  // block_max's first barrier guards against a second call, which these kernels do not make.
  check_barriers_are_needed(
      [&](Context& context) {
        const OpArray<float> x(context, normal_values<float>(s.count(), 1, 3, 2)),
            y(context, depths_with_holes(s.count(), 2)), value(context, 1), gradient(context, s.count());
        const Workspace workspace(context, losses::berhu_workspace_bytes(context, s));
        losses::berhu(context, x.view(s), y.view(s),
                      {.value = value.data(),
                       .gradient = gradient.view(s),
                       .mode = GradientMode::Overwrite,
                       .workspace = workspace.data()});
        return OpBits() << value << gradient;
      },
      1);
}

TEST_CASE("berhu: reference gradient matches finite differences with c held") {
  const std::int64_t count = 60;
  const auto prediction = convert<double>(random_values<float>(count, 1, 0, 10));
  const auto target = convert<double>(depths_with_holes(count, 2));
  const double corner = losses::reference::berhu_corner(prediction.data(), target.data(), count);
  std::vector<double> gradient(prediction.size());
  losses::reference::berhu(prediction.data(), target.data(), count, corner, 3.0, gradient.data());
  check_gradient(prediction, gradient, [&](const std::vector<double>& at) {
    return losses::reference::berhu(at.data(), target.data(), count, corner, 3.0);
  });
}

TEST_CASE("berhu: wrong arguments are refused") {
  Context context = context_under_test();
  const OpArray<float> a(context, 6), b(context, 3);
  const OpArray<bf16> half(context, 6);
  const auto x = a.view({2, 1, 3, 1});
  CHECK(error_of([&] {
          losses::berhu(context, x, b.view({1, 1, 3, 1}), {});
        }) == "berhu: the target has shape (1,1,3,1), expected (2,1,3,1)");
  CHECK(error_of([&] {
          losses::berhu(context, x, half.view({2, 1, 3, 1}), {});
        }) == "berhu: the target is bf16, expected fp32");
  CHECK(error_of([&] {
          losses::berhu(
              context, x, x,
              {.gradient = b.view({1, 1, 3, 1}), .mode = GradientMode::Overwrite, .workspace = b.data()});
        }) == "berhu: the gradient has shape (1,1,3,1), expected (2,1,3,1)");
}

}  // namespace chiaro::testing
