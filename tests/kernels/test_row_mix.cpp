#include "kernels/norm/row_mix.hpp"

#include "kernels/norm/row_mix_reference.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

namespace {

using row_mix::Sizes;

const Sizes kSizes[] = {{1, 1, 1}, {4, 6, 32}, {3, 2, 5}, {2, 3, 40000}, {1, 7, 128}};

}  // namespace

TEST_CASE("row_mix: forward and backward against double, any number of threads") {
  for (const Sizes& s : kSizes) {
    INFO(s.pictures, " pictures, ", s.rows, " rows of ", s.length);
    const auto w = random_values<float>(s.pictures * s.rows, 1, 0),
               t = random_values<float>(s.rows * s.length, 2);
    std::vector<double> y(s.pictures * s.length);
    row_mix::reference::forward(s, convert<double>(w).data(), convert<double>(t).data(), y.data());
    const auto found = run_with_any_threads([&](Context& context) {
      std::vector<float> result(y.size(), NAN);
      row_mix::forward(context, s, w.data(), t.data(), result.data());
      return result;
    });
    CHECK(nmse(y, found) <= 1e-13);

    const auto dy = random_values<float>(s.pictures * s.length, 3),
               before = random_values<float>(s.rows * s.length, 4);
    for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate, GradientMode::Ignore}) {
      auto dt = convert<double>(before);
      if (mode != GradientMode::Ignore)
        row_mix::reference::backward(s, convert<double>(w).data(), convert<double>(dy).data(), dt.data(),
                                     mode == GradientMode::Accumulate);
      const auto gradient = run_with_any_threads([&](Context& context) {
        auto result = before;
        row_mix::backward(context, s, w.data(), dy.data(), result.data(), mode);
        return result;
      });
      CHECK(nmse(dt, gradient) <= 1e-13);
    }
  }
}

TEST_CASE("row_mix: a whole share is the row, and nothing comes from a row without a share") {
  Context context(1);
  const std::vector<float> t{1.1f, 2.2f, NAN, INFINITY, -3.3f, 1e30f}, w{0, 0, 1, 1, 0, 0};
  std::vector<float> y(4);
  row_mix::forward(context, {2, 3, 2}, w.data(), t.data(), y.data());
  CHECK(y == std::vector<float>{-3.3f, 1e30f, 1.1f, 2.2f});

  const std::vector<float> dy{1, 2, NAN, 4};
  std::vector<float> dt(6, 7.f);
  const std::vector<float> first_only{0, 0.5f, 0, 0, 0, 0};
  row_mix::backward(context, {2, 3, 2}, first_only.data(), dy.data(), dt.data(), GradientMode::Overwrite);
  CHECK(dt == std::vector<float>{0, 0, 0.5f, 1, 0, 0});
}

TEST_CASE("row_mix: the reference's gradient is that of finite differences") {
  const Sizes s{3, 2, 4};
  const auto w = convert<double>(random_values<float>(6, 1)), t = convert<double>(random_values<float>(8, 2)),
             factors = convert<double>(random_values<float>(12, 3));
  std::vector<double> dt(8);
  row_mix::reference::backward(s, w.data(), factors.data(), dt.data(), false);
  check_gradient(t, dt, [&](const std::vector<double>& at) {
    std::vector<double> y(12);
    row_mix::reference::forward(s, w.data(), at.data(), y.data());
    return dot(y, factors);
  });
}

TEST_CASE("row_mix: wrong arguments are named") {
  Context context(1);
  std::vector<float> a(4), b(4), c(4);
  CHECK(error_of([&] {
          row_mix::forward(context, {2, 0, 2}, a.data(), b.data(), c.data());
        }) == "row_mix forward: 2 pictures, 0 rows of length 2");
  CHECK(error_of([&] {
          row_mix::forward(context, {2, 2, 2}, nullptr, b.data(), c.data());
        }) == "row_mix forward: w is missing");
  CHECK(error_of([&] {
          row_mix::backward(context, {2, 2, 2}, a.data(), b.data(), nullptr, GradientMode::Overwrite);
        }) == "row_mix backward: dt is missing");
}

}  // namespace chiaro
