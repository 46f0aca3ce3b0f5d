#include "kernels/losses/nmse_cuda.hpp"
#include "kernels/losses/nmse_reference.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

TEST_CASE_TEMPLATE("relative loss cuda: value and gradient, the second picture wants nothing", T, float,
                   bf16) {
  for (const Shape& s : {Shape{3, 13, 11, 3}, Shape{2, 8, 9, 8}, Shape{2, 60, 50, 8}, Shape{2, 1, 1, 1}})
    for (const std::int64_t offset : {0, 1}) {
      INFO(to_string(s), ", offset ", offset);
      const auto a = normal_values<T>(s.count(), 1), old = normal_values<T>(s.count(), 3);
      auto b = normal_values<T>(s.count(), 2);
      const std::int64_t picture = s.count() / s.n;
      std::fill_n(b.begin() + picture, picture, T(0.0f));
      const auto da = convert<double>(a), db = convert<double>(b);
      std::vector<double> gradient(s.count());
      const double value = losses::reference::nmse_forward(da.data(), s, db.data(), 1.5);
      losses::reference::nmse_backward(da.data(), s, db.data(), 1.5, gradient.data(), false);
      const auto run = [&] {
        DeviceArray<T> x(a, offset), y(b, offset), dx(s.count(), offset), sum(old, offset);
        DeviceArray<float> out(1), inverse(s.n);
        DeviceArray<double> workspace(losses::cuda::nmse_workspace_bytes(s) / 8);
        losses::cuda::nmse_forward(nullptr, x.view(s), y.view(s), 1.5, out.data(), inverse.data(),
                                   workspace.data());
        losses::cuda::nmse_backward(nullptr, x.view(s), y.view(s), inverse.data(), 1.5, dx.view(s), false);
        losses::cuda::nmse_backward(nullptr, x.view(s), y.view(s), inverse.data(), 1.5, sum.view(s), true);
        CHECK(double(out.host()[0]) == doctest::Approx(value).epsilon(1e-6));
        CHECK(inverse.host()[1] == 0);
        check_close(gradient, dx.host(), convert<T>(gradient), 100);
        const auto added = sum_of(gradient, old);
        check_close(added, sum.host(), convert<T>(added), 100);
        return Bits() << out << inverse << dx << sum;
      };
      CHECK(launches_of(run) ==
            std::vector<std::string>{"nmse_sums", "nmse_finish", "nmse_backward", "nmse_backward"});
      check_every_schedule(run);
    }
}

TEST_CASE("relative loss cuda: integers are exact, mixed types, many blocks") {
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
  DeviceArray<bf16> x(a);
  DeviceArray<float> y(b), out(1), inverse(2);
  DeviceArray<double> workspace(losses::cuda::nmse_workspace_bytes(s) / 8);
  losses::cuda::nmse_forward(nullptr, x.view(s), y.view(s), 0.5, out.data(), inverse.data(),
                             workspace.data());
  CHECK(out.host()[0] == float(0.5 * total));
}

TEST_CASE("relative loss cuda: every barrier is needed, and its absence found") {
  const Shape s{2, 30, 40, 8};
  DeviceArray<float> x(normal_values<float>(s.count(), 1)), y(normal_values<float>(s.count(), 2));
  check_barriers_are_needed([&] {
    DeviceArray<float> out(1), inverse(s.n);
    DeviceArray<double> workspace(losses::cuda::nmse_workspace_bytes(s) / 8);
    losses::cuda::nmse_forward(nullptr, x.view(s), y.view(s), 1, out.data(), inverse.data(),
                               workspace.data());
    return Bits() << out << inverse;
  });
}

}  // namespace chiaro::emulated
