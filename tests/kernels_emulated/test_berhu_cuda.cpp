#include "kernels/losses/berhu_cuda.hpp"
#include "kernels/losses/berhu_reference.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

namespace {

// Depths of which every third is missing, some as NaN.
std::vector<float> depths(std::int64_t count) {
  auto target = normal_values<float>(count, 2, 3, 1);
  for (std::int64_t i = 0; i < count; i += 3) target[i] = i % 2 ? std::nanf("") : 0.0f;
  return target;
}

}  // namespace

TEST_CASE_TEMPLATE("berhu cuda: value, state and gradient", T, float, bf16) {
  for (const Shape& s : {Shape{2, 30, 41, 1}, Shape{1, 1, 2, 1}, Shape{1, 200, 210, 1}})
    for (const std::int64_t offset : {0, 1}) {
      INFO(to_string(s), ", offset ", offset);
      const auto prediction = normal_values<T>(s.count(), 1, 3, 2), old = normal_values<T>(s.count(), 3);
      const auto target = depths(s.count());
      const auto p = convert<double>(prediction), t = convert<double>(target);
      std::vector<double> gradient(s.count());
      double c = 0;
      std::int64_t valid = 0;
      losses::reference::berhu_state(p.data(), t.data(), s.count(), &c, &valid);
      const double value = losses::reference::berhu_forward(p.data(), t.data(), s.count(), c, valid, 1.5);
      losses::reference::berhu_backward(p.data(), t.data(), s.count(), c, valid, 1.5, gradient.data(), false);
      const auto run = [&] {
        DeviceArray<T> x(prediction, offset), dx(s.count(), offset), sum(old, offset);
        DeviceArray<float> d(target, offset), out(1), state(2);
        DeviceArray<double> workspace(losses::cuda::berhu_workspace_bytes() / 8);
        losses::cuda::berhu_forward(nullptr, x.view(s), d.view(s), 1.5, out.data(), state.data(),
                                    workspace.data());
        losses::cuda::berhu_backward(nullptr, x.view(s), d.view(s), state.data(), 1.5, dx.view(s), false);
        losses::cuda::berhu_backward(nullptr, x.view(s), d.view(s), state.data(), 1.5, sum.view(s), true);
        CHECK(double(out.host()[0]) == doctest::Approx(value).epsilon(1e-6));
        CHECK(double(state.host()[0]) == doctest::Approx(c).epsilon(1e-6));
        CHECK(double(state.host()[1]) == doctest::Approx(1 / double(valid)).epsilon(1e-6));
        // The gradient jumps at d = 0 only, where no residual lies.
        check_close(gradient, dx.host(), convert<T>(gradient), 100);
        const auto added = sum_of(gradient, old);
        check_close(added, sum.host(), convert<T>(added), 100);
        return Bits() << out << state << dx << sum;
      };
      CHECK(launches_of(run) == std::vector<std::string>{"berhu_extent", "berhu_sum", "finish_sum",
                                                         "berhu_backward", "berhu_backward"});
      if (s.count() < 10000) check_every_schedule(run);
    }
}

TEST_CASE("berhu cuda: no valid pixel gives nothing, NaN at a valid one shows") {
  const Shape s{1, 2, 3, 1};
  const auto run = [&](const std::vector<float>& prediction, const std::vector<float>& target) {
    DeviceArray<float> x(prediction), d(target), out(1), state(2), dx(s.count());
    DeviceArray<double> workspace(losses::cuda::berhu_workspace_bytes() / 8);
    losses::cuda::berhu_forward(nullptr, x.view(s), d.view(s), 1, out.data(), state.data(), workspace.data());
    losses::cuda::berhu_backward(nullptr, x.view(s), d.view(s), state.data(), 1, dx.view(s), false);
    auto result = dx.host();
    result.push_back(out.host()[0]);
    return result;
  };
  CHECK(run({1, 2, 3, 4, 5, 6}, std::vector<float>(6, 0.0f)) == std::vector<float>(7, 0.0f));
  CHECK(std::isnan(run({1, std::nanf(""), 3, 4, 5, 6}, std::vector<float>(6, 2.0f))[6]));
}

TEST_CASE("berhu cuda: every barrier is needed, and its absence found") {
  const Shape s{1, 30, 50, 1};
  DeviceArray<float> x(normal_values<float>(s.count(), 1, 3, 2)), d(depths(s.count()));
  // block_max's first barrier guards against a second call, which these kernels do not make.
  check_barriers_are_needed(
      [&] {
        DeviceArray<float> out(1), state(2);
        DeviceArray<double> workspace(losses::cuda::berhu_workspace_bytes() / 8);
        losses::cuda::berhu_forward(nullptr, x.view(s), d.view(s), 1, out.data(), state.data(),
                                    workspace.data());
        return Bits() << out << state;
      },
      1);
}

}  // namespace chiaro::emulated
