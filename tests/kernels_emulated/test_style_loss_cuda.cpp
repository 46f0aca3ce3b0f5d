#include "kernels/gram/gram_config.hpp"
#include "kernels/gram/gram_cuda.hpp"
#include "kernels/gram/gram_reference.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

namespace {

// One channel tile and several, splits of pixels, channels and pixels that fill no tile.
const std::vector<Shape> kStyleShapes = {
    {1, 5, 7, 3}, {2, 9, 8, 8}, {1, 4, 4, 65}, {2, 25, 21, 24}, {2, 3, 5, 136}};

struct Exact {
  std::vector<double> dg;
  double value = 0;
};

template <class T>
Exact exact_loss(const std::vector<T>& f, const Shape& s, const std::vector<float>& target, double scale,
                 double coefficient, double gradient_coefficient) {
  Exact e{.dg = std::vector<double>(s.n * s.c * s.c)};
  gram::reference::forward(convert<double>(f).data(), s, e.dg.data(), scale);
  for (std::size_t i = 0; i < e.dg.size(); ++i) {
    const double d = e.dg[i] - double(target[i % target.size()]);
    e.value += coefficient * d * d;
    e.dg[i] = 2 * gradient_coefficient * d;
  }
  return e;
}

std::vector<float> symmetric(std::vector<float> values, std::int64_t c) {
  for (std::int64_t i = 0; i < c; ++i)
    for (std::int64_t j = 0; j < i; ++j) values[i * c + j] = values[j * c + i];
  return values;
}

}  // namespace

TEST_CASE_TEMPLATE("style loss cuda: integers exactly, gradient and value", T, float, bf16) {
  for (const Shape& s : kStyleShapes)
    for (const std::int64_t offset : {0, 1}) {
      INFO(to_string(s), ", offset ", offset);
      const auto f = integer_values<T>(s.count(), 1, -2, 2);
      const auto target = symmetric(integer_values<float>(s.c * s.c, 2), s.c);
      const Exact exact = exact_loss(f, s, target, 0.25, 0.5, 2);
      const auto run = [&] {
        DeviceArray<T> in(f, offset);
        DeviceArray<float> wanted(target), dg(s.n * s.c * s.c), value(1);
        DeviceArray<double> workspace((gram::cuda::style_loss_workspace_bytes(s) + 7) / 8);
        gram::cuda::style_loss(nullptr, {.f = in.view(s),
                                         .target = wanted.data(),
                                         .scale = 0.25f,
                                         .coefficient = 0.5,
                                         .gradient_coefficient = 2,
                                         .value = value.data(),
                                         .dg = dg.data(),
                                         .workspace = workspace.data()});
        CHECK(max_error(exact.dg, dg.host()) == 0);
        CHECK(value.host()[0] == float(exact.value));
        return Bits() << dg << value;
      };
      const bool tensor = std::is_same_v<T, bf16> && s.c % 8 == 0 && offset == 0;
      CHECK(launches_of(run) == std::vector<std::string>{tensor ? "gram_tensor" : "gram_tiled",
                                                         "gram_style_finish", "finish_sum"});
      check_every_schedule(run);
    }
}

// The target is near the pictures' own matrices, as it is late in a training: the difference of large
// numbers.
TEST_CASE_TEMPLATE("style loss cuda: random values close to the target", T, float, bf16) {
  for (const Shape& s : {Shape{1, 24, 25, 64}, Shape{2, 12, 13, 72}, Shape{2, 9, 9, 5}}) {
    INFO(to_string(s));
    const auto f = normal_values<T>(s.count(), 1, 0.3f);
    const float scale = 1 / float(s.pixels() * s.c);
    std::vector<double> g(s.n * s.c * s.c);
    gram::reference::forward(convert<double>(f).data(), s, g.data(), double(scale));
    g.resize(static_cast<std::size_t>(s.c * s.c));
    auto target = convert<float>(g);
    const auto noise = symmetric(normal_values<float>(s.c * s.c, 2, 0, 0.1f), s.c);
    for (std::size_t i = 0; i < target.size(); ++i) target[i] *= 1 + noise[i];
    const double coefficient = 1 / double(s.n * s.c * s.c);
    const Exact exact = exact_loss(f, s, target, double(scale), coefficient, 100 * coefficient);
    DeviceArray<T> in(f);
    DeviceArray<float> wanted(target), dg(s.n * s.c * s.c), value(1);
    DeviceArray<double> workspace((gram::cuda::style_loss_workspace_bytes(s) + 7) / 8);
    gram::cuda::style_loss(nullptr, {.f = in.view(s),
                                     .target = wanted.data(),
                                     .scale = scale,
                                     .coefficient = coefficient,
                                     .gradient_coefficient = 100 * coefficient,
                                     .value = value.data(),
                                     .dg = dg.data(),
                                     .workspace = workspace.data()});
    CHECK(nmse(exact.dg, dg.host()) <= 1e-11);
    CHECK(value.host()[0] == doctest::Approx(exact.value).epsilon(1e-5));
    for (std::int64_t n = 0; n < s.n; ++n)
      for (std::int64_t i = 0; i < s.c; ++i)
        for (std::int64_t j = 0; j < i; ++j)
          CHECK(dg.data()[(n * s.c + i) * s.c + j] == dg.data()[(n * s.c + j) * s.c + i]);
  }
}

TEST_CASE_TEMPLATE("style loss cuda: targets per picture, exactly", T, float, bf16) {
  for (const Shape& s : {Shape{2, 9, 8, 8}, Shape{3, 5, 7, 3}, Shape{2, 3, 5, 136}}) {
    INFO(to_string(s));
    const auto f = integer_values<T>(s.count(), 1, -2, 2);
    const std::vector<float> factors{2, 0.5f, 4};
    std::vector<float> targets;
    std::vector<double> dg, values;
    const Shape one{1, s.h, s.w, s.c};
    for (std::int64_t n = 0; n < s.n; ++n) {
      const auto target = symmetric(integer_values<float>(s.c * s.c, 10 + unsigned(n)), s.c);
      const std::vector<T> picture(f.begin() + n * one.count(), f.begin() + (n + 1) * one.count());
      const double k = factors[n];
      const Exact exact = exact_loss(picture, one, target, 0.25, 0.5 * k, 2 * k);
      targets.insert(targets.end(), target.begin(), target.end());
      dg.insert(dg.end(), exact.dg.begin(), exact.dg.end());
      values.push_back(exact.value);
    }
    check_every_schedule([&] {
      DeviceArray<T> in(f);
      DeviceArray<float> wanted(targets), k(factors), found(s.n * s.c * s.c), value(s.n);
      DeviceArray<double> workspace((gram::cuda::style_loss_workspace_bytes(s) + 7) / 8);
      gram::cuda::style_loss(nullptr, {.f = in.view(s),
                                       .target = wanted.data(),
                                       .scale = 0.25f,
                                       .coefficient = 0.5,
                                       .gradient_coefficient = 2,
                                       .value = value.data(),
                                       .dg = found.data(),
                                       .workspace = workspace.data(),
                                       .per_picture = true,
                                       .k = k.data()});
      CHECK(max_error(dg, found.host()) == 0);
      for (std::int64_t n = 0; n < s.n; ++n) CHECK(value.host()[n] == float(values[n]));
      return Bits() << found << value;
    });
  }
}

TEST_CASE("style loss cuda: every barrier is needed, and its absence found") {
  const Shape s{1, 10, 15, 72};
  DeviceArray<float> f(normal_values<float>(s.count(), 1)), target(normal_values<float>(s.c * s.c, 2));
  // block_sum's first barrier guards against a second call, which these kernels do not make.
  check_barriers_are_needed(
      [&] {
        DeviceArray<float> dg(s.c * s.c), value(1);
        DeviceArray<double> workspace((gram::cuda::style_loss_workspace_bytes(s) + 7) / 8);
        gram::cuda::style_loss(nullptr, {.f = f.view(s),
                                         .target = target.data(),
                                         .value = value.data(),
                                         .dg = dg.data(),
                                         .workspace = workspace.data()});
        return Bits() << dg << value;
      },
      1);
}

}  // namespace chiaro::emulated
