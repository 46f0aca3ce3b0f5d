#include "kernels/base/channel_grid.hpp"
#include "kernels/norm/instance_norm_cuda.hpp"
#include "tests/kernels/instance_norm_support.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::instance_norm {

using namespace chiaro::memory_ops;
using emulated::Bits;
using emulated::DeviceArray;

namespace {

template <class T>
std::vector<T> contents(const Dense<T>& t) {
  return {t.values.begin(), t.values.begin() + t.count()};
}

// A problem's arrays where kernels may access them. `offset` elements in front make them unaligned.
template <class T>
struct OnDevice {
  const Problem<T>& p;
  DeviceArray<T> x, residual, y, dy, dx, dresidual;
  DeviceArray<float> gamma, beta, mean, rstd, dgamma, dbeta, forward_workspace, backward_workspace;

  explicit OnDevice(const Problem<T>& p_, std::int64_t offset = 0)
      : p(p_),
        x(contents(p.x), offset),
        residual(contents(p.residual), offset),
        y(p.y.count(), offset),
        dy(contents(p.dy), offset),
        dx(contents(p.dx), offset),
        dresidual(contents(p.dresidual), offset),
        gamma(p.gamma),
        beta(p.beta),
        mean(p.k.shape.n * p.k.shape.c),
        rstd(p.k.shape.n * p.k.shape.c),
        dgamma(p.dgamma),
        dbeta(p.dbeta),
        forward_workspace(cuda::forward_workspace_bytes(p.k.shape) / 4),
        backward_workspace(cuda::backward_workspace_bytes(p.k.shape) / 4) {}

  void forward() {
    cuda::forward(nullptr, {.x = x.view(p.k.shape),
                            .gamma = gamma.data(),
                            .beta = beta.data(),
                            .residual = p.k.residual ? residual.view(p.residual.shape) : TensorView{},
                            .y = y.view(p.y.shape),
                            .mean = mean.data(),
                            .rstd = rstd.data(),
                            .workspace = forward_workspace.data(),
                            .attr = p.attributes()});
  }
  void backward(GradientMode dx_mode, GradientMode param_mode, GradientMode residual_mode) {
    cuda::backward(nullptr, {.x = x.view(p.k.shape),
                             .gamma = gamma.data(),
                             .beta = beta.data(),
                             .mean = mean.data(),
                             .rstd = rstd.data(),
                             .dy = dy.view(p.y.shape),
                             .dx = dx.view(p.k.shape),
                             .dx_mode = dx_mode,
                             .dgamma = dgamma.data(),
                             .dbeta = dbeta.data(),
                             .param_mode = param_mode,
                             .dresidual = dresidual.view(p.residual.shape),
                             .dresidual_mode = p.k.residual ? residual_mode : GradientMode::Ignore,
                             .workspace = backward_workspace.data(),
                             .attr = p.attributes()});
  }
  void run(GradientMode mode) {
    forward();
    backward(mode, mode, mode);
  }
  Bits bits() const { return Bits() << y << mean << rstd << dx << dresidual << dgamma << dbeta << dy; }
};

template <class T>
std::vector<double> doubles(const DeviceArray<T>& a) {
  return to_doubles(a.host());
}

// The cases of the CPU's test but the largest, and one with several chunks and slices of channels.
std::vector<Case> all_cases() {
  std::vector<Case> list;
  for (const Case& k : cases())
    if (k.shape.count() < 100000) list.push_back(k);
  list.push_back({{2, 20, 21, 136}, true, true, Pad::uniform(1), {}});
  return list;
}

constexpr GradientMode kIgnore = GradientMode::Ignore, kOverwrite = GradientMode::Overwrite,
                       kAccumulate = GradientMode::Accumulate;

}  // namespace

TEST_CASE("instance_norm cuda: fp32 forward and backward against double") {
  for (const Case& k : all_cases())
    for (const GradientMode mode : {kOverwrite, kAccumulate}) {
      INFO(describe(k));
      const Problem<float> p(k, 1);
      OnDevice<float> d(p);
      d.run(mode);
      const Exact exact(p, mode);
      const double bound = fp32_bound(k.shape.pixels() * k.shape.n);
      CHECK(nmse(exact.y, doubles(d.y)) <= bound);
      CHECK(nmse(exact.mean, doubles(d.mean)) <= bound);
      CHECK(nmse(exact.rstd, doubles(d.rstd)) <= bound);
      CHECK(nmse(exact.dx, doubles(d.dx)) <= bound);
      CHECK(nmse(exact.dgamma, doubles(d.dgamma)) <= bound);
      CHECK(nmse(exact.dbeta, doubles(d.dbeta)) <= bound);
      if (k.residual) CHECK(nmse(exact.dresidual, doubles(d.dresidual)) <= bound);
      CHECK(d.dy.host() == contents(p.dy));
    }
}

TEST_CASE("instance_norm cuda: bf16 is as exact as the plain loops in bf16") {
  for (const Case& k : all_cases()) {
    INFO(describe(k));
    const Problem<bf16> p(k, 2);
    OnDevice<bf16> d(p);
    d.run(kOverwrite);
    const Exact exact(p, kOverwrite);
    const Plain<bf16> plain(p);
    CHECK(max_error(exact.y, doubles(d.y)) <= bf16_bound(exact.y, plain.y.doubles()));
    CHECK(max_error(exact.dx, doubles(d.dx)) <= bf16_bound(exact.dx, plain.dx.doubles()));
    CHECK(nmse(exact.mean, doubles(d.mean)) <= fp32_bound(k.shape.pixels()));
    if (k.residual)
      CHECK(max_error(exact.dresidual, doubles(d.dresidual)) <=
            bf16_bound(exact.dresidual, plain.dresidual.doubles()));
  }
}

TEST_CASE_TEMPLATE("instance_norm cuda: the same bits under every schedule, and unaligned", T, float, bf16) {
  for (const Case& k : all_cases()) {
    INFO(describe(k));
    const Problem<T> p(k, 3);
    emulated::check_every_schedule([&] {
      OnDevice<T> d(p);
      d.run(kAccumulate);
      return d.bits();
    });
    OnDevice<T> aligned(p), unaligned(p, 1);
    aligned.run(kOverwrite);
    unaligned.run(kOverwrite);
    const double slack = std::is_same_v<T, float> ? 1e-10 : 1e-5;
    CHECK(nmse(doubles(aligned.y), doubles(unaligned.y)) <= slack);
    CHECK(nmse(doubles(aligned.dx), doubles(unaligned.dx)) <= slack);
  }
}

TEST_CASE("instance_norm cuda: large means with small variances, constant pictures and NaN") {
  const auto problem = [](const Shape& s, float mean, float deviation) {
    Problem<float> p({s, true, false, {}, {}}, 4);
    p.x.fill_normal(4, mean, deviation);
    return p;
  };
  for (const auto& [mean, deviation] : {std::pair(1000.0f, 0.1f), {-3e4f, 1.0f}, {1e4f, 0.005f}}) {
    INFO("mean ", mean, ", deviation ", deviation);
    const Problem<float> p = problem({1, 70, 80, 4}, mean, deviation);
    OnDevice<float> d(p);
    d.forward();
    const Exact exact(p, kOverwrite);
    const auto found_mean = doubles(d.mean), found_rstd = doubles(d.rstd);
    for (int c = 0; c < 4; ++c) {
      CHECK(found_mean[c] == doctest::Approx(exact.mean[c]).epsilon(6e-8));
      CHECK(found_rstd[c] == doctest::Approx(exact.rstd[c]).epsilon(2e-6));
    }
  }
  Problem<float> constant = problem({1, 90, 70, 3}, 0, 1);
  std::fill_n(constant.x.data(), constant.x.count(), 12345.678f);
  constant.beta = {1.5f, 0.25f, 3.0f};
  {
    OnDevice<float> d(constant);
    d.forward();
    const auto y = d.y.host();
    for (std::size_t i = 0; i < y.size(); ++i) REQUIRE(y[i] == constant.beta[i % 3]);
  }
  constant.x.values[4] = std::nanf("");
  OnDevice<float> d(constant);
  d.forward();
  CHECK(std::isnan(d.y.host()[1]));
  CHECK(!std::isnan(d.y.host()[0]));
}

TEST_CASE("instance_norm cuda: launches are what the header says, ignored gradients are not touched") {
  const Problem<float> p({{2, 6, 5, 4}, true, true, Pad::uniform(1), Pad::uniform(2)}, 7);
  OnDevice<float> d(p);
  using Names = std::vector<std::string>;
  const Names sums = {"instance_norm_sums", "instance_norm_finish_sums"};
  const auto backward = [&](GradientMode dx, GradientMode param, GradientMode residual) {
    return emulated::launches_of([&] { d.backward(dx, param, residual); });
  };
  CHECK(emulated::launches_of([&] { d.forward(); }) ==
        Names{"moments", "finish_moments", "instance_norm_apply"});
  CHECK(backward(kIgnore, kIgnore, kIgnore).empty());
  CHECK(backward(kIgnore, kOverwrite, kIgnore) == sums);
  CHECK(d.dx.host() == contents(p.dx));
  CHECK(d.dresidual.host() == contents(p.dresidual));
  CHECK(d.dgamma.host() != p.dgamma);
  OnDevice<float> other(p);
  other.forward();
  other.backward(kIgnore, kIgnore, kOverwrite);
  CHECK(other.dgamma.host() == p.dgamma);
  CHECK(other.dx.host() == contents(p.dx));
  CHECK(other.dresidual.host() != contents(p.dresidual));
  CHECK(backward(kIgnore, kIgnore, kOverwrite) == Names{"instance_norm_dx"});
}

TEST_CASE_TEMPLATE("instance_norm cuda: every barrier is needed, and its absence found", T, float, bf16) {
  const Problem<T> p({{1, 20, 21, 72}, true, true, Pad::uniform(1), {}}, 3);
  emulated::check_barriers_are_needed([&] {
    OnDevice<T> d(p);
    d.run(kOverwrite);
    return d.bits();
  });
}

TEST_CASE("channel grid: covers every channel and pixel once, with whole blocks of threads") {
  for (const std::int64_t channels : {1, 3, 30, 32, 64, 65, 100, 128, 200, 512, 2048})
    for (const std::int64_t pixels : {1, 7, 128, 4096, 65536, 2073600})
      for (const std::int64_t pictures : {1, 4, 32})
        for (const int vector : {1, 4, 8}) {
          if (channels % vector != 0) continue;
          INFO(channels, " channels, ", pixels, " pixels, ", pictures, " pictures, vector ", vector);
          const ChannelGrid g = pick_channel_grid(pictures, pixels, channels, vector, 264);
          CHECK(g.threads() <= ChannelGrid::kThreads);
          CHECK(g.threads() > ChannelGrid::kThreads / 2 - 1);
          CHECK(g.lanes * vector >= g.slice_channels);
          CHECK(g.slice_channels % vector == 0);
          CHECK(std::int64_t(g.slices) * g.slice_channels >= channels);
          CHECK(std::int64_t(g.slices - 1) * g.slice_channels < channels);
          CHECK(std::int64_t(g.chunks) * g.chunk_pixels >= pixels);
          CHECK(std::int64_t(g.chunks - 1) * g.chunk_pixels < pixels);
          CHECK(g.chunks == pick_channel_grid(pictures, pixels, channels, 1, 264).chunks);
          CHECK((std::int64_t(g.chunks) * g.slices * pictures <= 264 || g.chunks == 1));
        }
}

}  // namespace chiaro::instance_norm
