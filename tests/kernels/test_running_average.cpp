#include "kernels/optimizer/running_average.hpp"

#include "tests/kernels/every_device.hpp"

namespace chiaro::testing {

TEST_CASE("running_average: against double, aligned or not") {
  for (const std::int64_t count : {1, 17, 1003, 40000})
    for (const std::int64_t offset : {0, 1}) {
      INFO(count, " values, offset ", offset);
      const auto p = random_values<float>(count, 1), before = random_values<float>(count, 2);
      const float rate = 0.3f;
      auto exact = convert<double>(before);
      for (std::int64_t i = 0; i < count; ++i) exact[i] += double(rate) * (double(p[i]) - exact[i]);
      check_every_order(
          [&](Context& context) {
            const OpArray<float> rates(context, std::vector<float>{rate}), values(context, p, offset),
                average(context, before, offset);
            running_average::step(context, rates.data(), count, values.data(), average.data());
            CHECK(nmse(exact, average.host()) <= 1e-14);
            return OpBits() << average;
          },
          count);
    }
}

TEST_CASE("running_average: wrong arguments are named") {
  Context context = context_under_test();
  const OpArray<float> a(context, 1);
  CHECK(error_of([&] { running_average::step(context, nullptr, 1, a.data(), a.data()); }) ==
        "running_average: rate is missing");
}

}  // namespace chiaro::testing
