#include "kernels/norm/row_mix.hpp"

#include "kernels/norm/row_mix_reference.hpp"
#include "tests/kernels/every_device.hpp"

namespace chiaro::testing {

namespace {

using row_mix::Sizes;

const Sizes kMixSizes[] = {{1, 1, 1}, {4, 6, 32}, {3, 2, 5}, {2, 3, 3000}, {2, 3, 40000}, {1, 7, 128}};

}  // namespace

TEST_CASE("row_mix: forward and backward against double") {
  for (const Sizes& s : kMixSizes)
    for (const std::int64_t offset : {0, 1}) {
      INFO(s.pictures, " pictures, ", s.rows, " rows of ", s.length, ", offset ", offset);
      auto w = random_values<float>(s.pictures * s.rows, 1, 0);
      if (w.size() > 1) w[0] = 0;
      const auto t = random_values<float>(s.rows * s.length, 2),
                 dy = random_values<float>(s.pictures * s.length, 3),
                 before = random_values<float>(s.rows * s.length, 4);
      std::vector<double> y(s.pictures * s.length), dt(s.rows * s.length);
      row_mix::reference::forward(s, convert<double>(w).data(), convert<double>(t).data(), y.data());
      row_mix::reference::backward(s, convert<double>(w).data(), convert<double>(dy).data(), dt.data(),
                                   false);
      check_every_order(
          [&](Context& context) {
            const OpArray<float> weights(context, w), table(context, t, offset),
                gradient(context, dy, offset);
            const OpArray<float> mixed(context, s.pictures * s.length, offset),
                overwritten(context, s.rows * s.length, offset), added(context, before, offset),
                kept(context, before, offset);
            check_launches({"row_mix_forward", "row_mix_backward"}, context, [&] {
              row_mix::forward(context, s, weights.data(), table.data(), mixed.data());
              row_mix::backward(context, s, weights.data(), gradient.data(), overwritten.data(),
                                GradientMode::Overwrite);
            });
            row_mix::backward(context, s, weights.data(), gradient.data(), added.data(),
                              GradientMode::Accumulate);
            row_mix::backward(context, s, weights.data(), gradient.data(), kept.data(), GradientMode::Ignore);
            CHECK(nmse(y, mixed.host()) <= 1e-13);
            CHECK(nmse(dt, overwritten.host()) <= 1e-13);
            CHECK(nmse(sum_of(dt, before), added.host()) <= 1e-13);
            CHECK(same_bits(kept.host(), before));
            return OpBits() << mixed << overwritten << added;
          },
          s.length);
    }
}

TEST_CASE("row_mix: a whole share is the row, and nothing comes from a row without a share") {
  Context context = context_under_test();
  const OpArray<float> t(context, {1.1f, 2.2f, NAN, INFINITY, -3.3f, 1e30f}), w(context, {0, 0, 1, 1, 0, 0}),
      y(context, 4);
  row_mix::forward(context, {2, 3, 2}, w.data(), t.data(), y.data());
  CHECK(y.host() == std::vector<float>{-3.3f, 1e30f, 1.1f, 2.2f});

  const OpArray<float> dy(context, {1, 2, NAN, 4}), dt(context, std::vector<float>(6, 7.f)),
      first_only(context, {0, 0.5f, 0, 0, 0, 0});
  row_mix::backward(context, {2, 3, 2}, first_only.data(), dy.data(), dt.data(), GradientMode::Overwrite);
  CHECK(dt.host() == std::vector<float>{0, 0, 0.5f, 1, 0, 0});
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
  Context context = context_under_test();
  const OpArray<float> a(context, 4), b(context, 4), c(context, 4);
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

}  // namespace chiaro::testing
