#include "kernels/norm/row_mix_cuda.hpp"
#include "kernels/norm/row_mix_reference.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

using row_mix::Sizes;

TEST_CASE("row_mix cuda: forward and backward against double") {
  for (const Sizes& s : std::vector<Sizes>{{1, 1, 1}, {4, 6, 32}, {3, 2, 5}, {2, 3, 3000}})
    for (const std::int64_t offset : {0, 1}) {
      INFO(s.pictures, " pictures, ", s.rows, " rows of ", s.length, ", offset ", offset);
      auto w = normal_values<float>(s.pictures * s.rows, 1);
      w[0] = 0;
      const auto t = normal_values<float>(s.rows * s.length, 2),
                 dy = normal_values<float>(s.pictures * s.length, 3),
                 before = normal_values<float>(s.rows * s.length, 4);
      std::vector<double> y(s.pictures * s.length), dt(s.rows * s.length);
      row_mix::reference::forward(s, convert<double>(w).data(), convert<double>(t).data(), y.data());
      row_mix::reference::backward(s, convert<double>(w).data(), convert<double>(dy).data(), dt.data(),
                                   false);
      check_every_schedule([&] {
        const DeviceArray<float> weights(w), table(t, offset), gradient(dy, offset);
        DeviceArray<float> mixed(s.pictures * s.length, offset), overwritten(s.rows * s.length, offset),
            added(before, offset);
        CHECK(launches_of([&] {
                row_mix::cuda::forward(nullptr, s, weights.data(), table.data(), mixed.data());
                row_mix::cuda::backward(nullptr, s, weights.data(), gradient.data(), overwritten.data(),
                                        false);
              }) == std::vector<std::string>{"row_mix_forward", "row_mix_backward"});
        row_mix::cuda::backward(nullptr, s, weights.data(), gradient.data(), added.data(), true);
        CHECK(nmse(y, mixed.host()) <= 1e-13);
        CHECK(nmse(dt, overwritten.host()) <= 1e-13);
        CHECK(nmse(sum_of(dt, before), added.host()) <= 1e-13);
        return Bits() << mixed << overwritten << added;
      });
    }
}

TEST_CASE("row_mix cuda: nothing comes from a row without a share") {
  const DeviceArray<float> w(std::vector<float>{0, 1}), t(std::vector<float>{NAN, INFINITY, 5, 6});
  DeviceArray<float> y(2);
  row_mix::cuda::forward(nullptr, {1, 2, 2}, w.data(), t.data(), y.data());
  CHECK(y.host() == std::vector<float>{5, 6});
}

}  // namespace chiaro::emulated
