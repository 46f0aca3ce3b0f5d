#include "kernels/optimizer/running_average_cuda.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

TEST_CASE("running_average cuda: against double, aligned or not") {
  for (const std::int64_t offset : {0, 1}) {
    const auto p = normal_values<float>(1003, 1), before = normal_values<float>(1003, 2);
    auto exact = convert<double>(before);
    for (std::size_t i = 0; i < exact.size(); ++i) exact[i] += 0.25 * (double(p[i]) - exact[i]);
    check_every_schedule([&] {
      const DeviceArray<float> rate(std::vector<float>{0.25f}), values(p, offset);
      DeviceArray<float> average(before, offset);
      running_average::cuda::step(nullptr, rate.data(), 1003, values.data(), average.data());
      CHECK(nmse(exact, average.host()) <= 1e-14);
      return Bits() << average;
    });
  }
}

}  // namespace chiaro::emulated
