#include "kernels/gram/gram_config.hpp"
#include "kernels/gram/gram_cuda.hpp"
#include "kernels/gram/gram_reference.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

namespace {

// One channel tile and several, splits of pixels, channels and pixels that fill no tile.
const std::vector<Shape> kShapes = {{1, 5, 7, 3},    {2, 9, 8, 8},    {1, 4, 4, 65},
                                    {1, 17, 20, 64}, {1, 6, 11, 136}, {2, 25, 21, 24}};

template <class T>
bool uses_tensor_cores(const Shape& s, std::int64_t offset) {
  return std::is_same_v<T, bf16> && s.c % 8 == 0 && offset == 0;
}

}  // namespace

TEST_CASE_TEMPLATE("gram cuda: forward, integers exactly and symmetric", T, float, bf16) {
  for (const Shape& s : kShapes)
    for (const std::int64_t offset : {0, 1}) {
      INFO(to_string(s), ", offset ", offset);
      const auto f = integer_values<T>(s.count(), 1);
      std::vector<double> g(s.n * s.c * s.c);
      gram::reference::forward(convert<double>(f).data(), s, g.data(), 0.25);
      const auto run = [&] {
        DeviceArray<T> in(f, offset);
        DeviceArray<float> out(s.n * s.c * s.c), workspace(gram::cuda::forward_workspace_bytes(s) / 4);
        gram::cuda::forward(nullptr, in.view(s), out.data(), 0.25f, workspace.data());
        CHECK(max_error(g, out.host()) == 0);
        return Bits() << out;
      };
      CHECK(launches_of(run) ==
            std::vector<std::string>{uses_tensor_cores<T>(s, offset) ? "gram_tensor" : "gram_tiled",
                                     "gram_finish"});
      check_every_schedule(run);
    }
}

TEST_CASE_TEMPLATE("gram cuda: backward, integers exactly", T, float, bf16) {
  for (const Shape& s : kShapes)
    for (const std::int64_t offset : {0, 1}) {
      INFO(to_string(s), ", offset ", offset);
      const auto f = integer_values<T>(s.count(), 1), old = integer_values<T>(s.count(), 2);
      auto dg = integer_values<float>(s.n * s.c * s.c, 3);
      for (std::int64_t n = 0; n < s.n; ++n)
        for (std::int64_t i = 0; i < s.c; ++i)
          for (std::int64_t j = 0; j < i; ++j) dg[(n * s.c + i) * s.c + j] = dg[(n * s.c + j) * s.c + i];
      std::vector<double> df(s.count());
      gram::reference::backward(convert<double>(f).data(), s, convert<double>(dg).data(), 0.5, df.data(),
                                false);
      const auto run = [&] {
        DeviceArray<T> in(f, offset), out(s.count(), offset), sum(old, offset);
        DeviceArray<float> d(dg);
        gram::cuda::backward(nullptr, in.view(s), d.data(), 0.5f, out.view(s), false);
        CHECK(same_bits(out.host(), convert<T>(df)));
        gram::cuda::backward(nullptr, in.view(s), d.data(), 0.5f, sum.view(s), true);
        CHECK(same_bits(sum.host(), convert<T>(sum_of(df, old))));
        return Bits() << out << sum;
      };
      CHECK(launches_of(run)[0] ==
            (uses_tensor_cores<T>(s, offset) ? "gram_backward_tensor" : "gram_backward_tiled"));
      check_every_schedule(run);
    }
}

TEST_CASE_TEMPLATE("gram cuda: random values", T, float, bf16) {
  for (const Shape& s : {Shape{1, 24, 25, 64}, Shape{1, 20, 20, 72}, Shape{2, 9, 9, 5}}) {
    INFO(to_string(s));
    const auto f = normal_values<T>(s.count(), 1, 0.3f);
    const float scale = 1 / float(s.pixels() * s.c);
    std::vector<double> g(s.n * s.c * s.c), df(s.count());
    std::vector<float> plain_g(g.size());
    std::vector<T> plain(s.count());
    gram::reference::forward(convert<double>(f).data(), s, g.data(), double(scale));
    const auto dg = convert<float>(g);
    gram::reference::backward(convert<double>(f).data(), s, convert<double>(dg).data(), 3.0, df.data(),
                              false);
    gram::reference::backward(f.data(), s, dg.data(), 3.0f, plain.data(), false);
    DeviceArray<T> in(f), out(s.count());
    DeviceArray<float> matrix(s.n * s.c * s.c), workspace(gram::cuda::forward_workspace_bytes(s) / 4), d(dg);
    gram::cuda::forward(nullptr, in.view(s), matrix.data(), scale, workspace.data());
    CHECK(nmse(g, matrix.host()) <= 1e-15 * double(std::max<std::int64_t>(s.pixels(), 100)));
    gram::cuda::backward(nullptr, in.view(s), d.data(), 3.0f, out.view(s), false);
    check_close(df, out.host(), plain, s.c);
  }
}

TEST_CASE_TEMPLATE("gram cuda: every barrier is needed, and its absence found", T, float, bf16) {
  const Shape s{1, 10, 15, 72};
  DeviceArray<T> f(normal_values<T>(s.count(), 1));
  DeviceArray<float> dg(normal_values<float>(s.c * s.c, 2));
  check_barriers_are_needed([&] {
    DeviceArray<float> g(s.c * s.c), workspace(gram::cuda::forward_workspace_bytes(s) / 4);
    DeviceArray<T> df(s.count());
    gram::cuda::forward(nullptr, f.view(s), g.data(), 1, workspace.data());
    gram::cuda::backward(nullptr, f.view(s), dg.data(), 1, df.view(s), false);
    return Bits() << g << df;
  });
}

TEST_CASE("gram cuda: the configuration covers every pixel and pair of channels") {
  for (const std::int64_t n : {1, 4, 32})
    for (const std::int64_t c : {3, 64, 65, 128, 256, 512})
      for (const std::int64_t edge : {4, 28, 64, 256, 1000}) {
        const auto k = gram::cuda::pick_config({n, edge, edge, c});
        INFO(n, " pictures, ", c, " channels, edge ", edge);
        CHECK(std::int64_t(k.tiles) * gram::cuda::kTile >= c);
        CHECK(k.pairs == k.tiles * (k.tiles + 1) / 2);
        CHECK(std::int64_t(k.splits) * k.split_pixels >= edge * edge);
        CHECK(std::int64_t(k.splits - 1) * k.split_pixels < edge * edge);
        CHECK(k.split_pixels % gram::cuda::kTile == 0);
        CHECK((n * k.pairs * k.splits <= gram::cuda::kBlocks || k.splits == 1));
      }
}

}  // namespace chiaro::emulated
