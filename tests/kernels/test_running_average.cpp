#include "kernels/optimizer/running_average.hpp"

#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

TEST_CASE("running_average: against double, any number of threads") {
  for (const std::int64_t count : {1, 17, 40000}) {
    const auto p = random_values<float>(count, 1), before = random_values<float>(count, 2);
    const float rate = 0.3f;
    auto exact = convert<double>(before);
    for (std::int64_t i = 0; i < count; ++i) exact[i] += double(rate) * (double(p[i]) - exact[i]);
    const auto found = run_with_any_threads([&](Context& context) {
      auto a = before;
      running_average::step(context, &rate, count, p.data(), a.data());
      return a;
    });
    CHECK(nmse(exact, found) <= 1e-14);
  }
}

TEST_CASE("running_average: wrong arguments are named") {
  Context context(1);
  float a = 0;
  CHECK(error_of([&] { running_average::step(context, nullptr, 1, &a, &a); }) ==
        "running_average: rate is missing");
}

}  // namespace chiaro
