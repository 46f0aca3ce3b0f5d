#include "kernels/losses/losses_cuda.hpp"
#include "kernels/losses/losses_reference.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

namespace {

const std::vector<Shape> kLossShapes = {
    {2, 13, 11, 3}, {3, 8, 9, 8}, {1, 1, 17, 16}, {2, 40, 1, 5}, {1, 1, 1, 1}};

// One loss whose value and gradient come from run(value, gradient, mode, workspace).
template <class T, class Run>
void check_loss(const Shape& s, double value, const std::vector<double>& gradient,
                const std::vector<T>& plain, const char* name, Run&& run) {
  const auto old = normal_values<T>(s.count(), 9);
  check_every_schedule([&] {
    DeviceArray<float> both(1), alone(1);
    DeviceArray<double> workspace(losses::cuda::workspace_bytes() / 8);
    DeviceArray<T> g(s.count()), sum(old), only(s.count());
    CHECK(launches_of([&] { run(both.data(), g, GradientMode::Overwrite, workspace.data()); }) ==
          std::vector<std::string>{name, "finish_sum"});
    run(alone.data(), sum, GradientMode::Ignore, workspace.data());
    CHECK(same_bits(sum.host(), old));
    CHECK(launches_of([&] { run(nullptr, only, GradientMode::Overwrite, nullptr); }) ==
          std::vector<std::string>{name});
    run(nullptr, sum, GradientMode::Accumulate, nullptr);
    CHECK(double(both.host()[0]) == doctest::Approx(value).epsilon(1e-6));
    CHECK(double(alone.host()[0]) == doctest::Approx(value).epsilon(1e-6));
    check_close(gradient, g.host(), plain, 4);
    CHECK(same_bits(only.host(), g.host()));
    const auto added = sum_of(gradient, old);
    check_close(added, sum.host(), convert<T>(added), 4);
    return Bits() << both << alone << g << sum;
  });
}

}  // namespace

TEST_CASE_TEMPLATE("losses cuda: mse, value and gradient, one target or many", T, float, bf16) {
  for (const Shape& s : kLossShapes)
    for (const std::int64_t pictures : {std::int64_t{1}, s.n})
      for (const std::int64_t offset : {0, 1}) {
        INFO(to_string(s), ", ", pictures, " targets, offset ", offset);
        const Shape target{pictures, s.h, s.w, s.c};
        const auto a = normal_values<T>(s.count(), 1), b = normal_values<T>(target.count(), 2);
        const auto da = convert<double>(a), db = convert<double>(b);
        std::vector<double> gradient(s.count());
        std::vector<T> plain(s.count());
        const double value = losses::reference::mse_forward(da.data(), s, db.data(), pictures, 0.7);
        losses::reference::mse_backward(da.data(), s, db.data(), pictures, 0.7, gradient.data(), false);
        losses::reference::mse_backward(a.data(), s, b.data(), pictures, 0.7, plain.data(), false);
        DeviceArray<T> x(a, offset), y(b, offset);
        check_loss<T>(
            s, value, gradient, plain, "mse", [&](float* v, auto& g, GradientMode mode, void* workspace) {
              losses::cuda::mse(nullptr, x.view(s), y.view(target), 0.7, 1, v, g.view(s), mode, workspace);
            });
      }
}

TEST_CASE_TEMPLATE("losses cuda: total variation, value and gradient", T, float, bf16) {
  for (const Shape& s : kLossShapes)
    for (const std::int64_t offset : {0, 1}) {
      INFO(to_string(s), ", offset ", offset);
      const auto a = normal_values<T>(s.count(), 1);
      const auto da = convert<double>(a);
      std::vector<double> gradient(s.count());
      std::vector<T> plain(s.count());
      const double value = losses::reference::tv_forward(da.data(), s, 30.0);
      losses::reference::tv_backward(da.data(), s, 30.0, gradient.data(), false);
      losses::reference::tv_backward(a.data(), s, 30.0, plain.data(), false);
      DeviceArray<T> x(a, offset);
      check_loss<T>(s, value, gradient, plain, "total_variation",
                    [&](float* v, auto& g, GradientMode mode, void* workspace) {
                      losses::cuda::total_variation(nullptr, x.view(s), 30.0, 1, v, g.view(s), mode,
                                                    workspace);
                    });
    }
}

TEST_CASE_TEMPLATE("losses cuda: range, value and gradient", T, float, bf16) {
  for (const Shape& s : kLossShapes)
    for (const std::int64_t offset : {0, 1}) {
      INFO(to_string(s), ", offset ", offset);
      const auto a = normal_values<T>(s.count(), 1, 0.1f, 1);
      const auto da = convert<double>(a);
      std::vector<double> gradient(s.count());
      std::vector<T> plain(s.count());
      const double value = losses::reference::range_forward(da.data(), s, -0.25, 0.5, 3.0);
      losses::reference::range_backward(da.data(), s, -0.25, 0.5, 3.0, gradient.data(), false);
      losses::reference::range_backward(a.data(), s, -0.25, 0.5, 3.0, plain.data(), false);
      DeviceArray<T> x(a, offset);
      check_loss<T>(s, value, gradient, plain, "range",
                    [&](float* v, auto& g, GradientMode mode, void* workspace) {
                      losses::cuda::range(nullptr, {.x = x.view(s),
                                                    .low = -0.25f,
                                                    .high = 0.5f,
                                                    .scale = 3.0,
                                                    .value = v,
                                                    .workspace = workspace,
                                                    .dx = g.view(s),
                                                    .mode = mode});
                    });
    }
}

TEST_CASE("losses cuda: every barrier is needed, and its absence found") {
  const Shape s{1, 32, 40, 8};
  DeviceArray<float> x(normal_values<float>(s.count(), 1)), y(normal_values<float>(s.count(), 2));
  // block_sum's first barrier guards against a second call, which these kernels do not make.
  check_barriers_are_needed(
      [&] {
        DeviceArray<float> value(1);
        DeviceArray<double> workspace(losses::cuda::workspace_bytes() / 8);
        losses::cuda::mse(nullptr, x.view(s), y.view(s), 1, 1, value.data(), {}, GradientMode::Ignore,
                          workspace.data());
        return Bits() << value;
      },
      1);
}

TEST_CASE("losses cuda: integers are exact, mixed types, many blocks") {
  const Shape s{1, 300, 250, 8};  // more vectors than one pass of the grid takes
  const auto a = integer_values<bf16>(s.count(), 1);
  const auto b = integer_values<float>(s.count(), 2);
  double exact = 0;
  for (std::int64_t i = 0; i < s.count(); ++i)
    exact += (double(float(a[i])) - b[i]) * (double(float(a[i])) - b[i]);
  DeviceArray<bf16> x(a);
  DeviceArray<float> y(b), value(1), g(s.count());
  DeviceArray<double> workspace(losses::cuda::workspace_bytes() / 8);
  losses::cuda::mse(nullptr, x.view(s), y.view(s), 0.5, 3, value.data(), g.view(s), GradientMode::Overwrite,
                    workspace.data());
  CHECK(value.host()[0] == float(0.5 * exact));
  const auto gradient = g.host();
  for (std::int64_t i = 0; i < s.count(); i += 97) CHECK(gradient[i] == 3 * (float(a[i]) - b[i]));
}

}  // namespace chiaro::emulated
