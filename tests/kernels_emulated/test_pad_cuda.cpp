#include "kernels/pad/pad_cuda.hpp"
#include "kernels/pad/pad_reference.hpp"
#include "kernels/resample/upsample_cuda.hpp"
#include "kernels/resample/upsample_reference.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

namespace {

struct BorderCase {
  Shape inner;
  Pad border;
};
std::vector<BorderCase> pad_cases() {
  const auto replicate = PadMode::Replicate;
  return {{{1, 5, 7, 3}, Pad::uniform(1)},         {{2, 6, 5, 8}, {4, 3, 2, 4}},
          {{1, 9, 4, 16}, {0, 0, 0, 3}},           {{2, 4, 3, 5}, {5, 1, 0, 6, replicate}},
          {{1, 1, 1, 8}, {2, 3, 1, 2, replicate}}, {{1, 3, 9, 24}, Pad::uniform(2)},
          {{1, 6, 6, 4}, {2, 0, 3, 0, replicate}}, {{1, 2, 2, 1}, Pad::uniform(1)}};
}

// The interior of a padded picture.
template <class T>
std::vector<T> interior(const std::vector<T>& outer, const BorderCase& k) {
  std::vector<T> inner(k.inner.count());
  pad::reference::crop_forward(outer.data(), inner.data(), k.border.outer(k.inner), k.inner, k.border.top,
                               k.border.left);
  return inner;
}

}  // namespace

TEST_CASE_TEMPLATE("pad cuda: integers exactly as the plain loops", T, float, bf16) {
  for (const BorderCase& k : pad_cases())
    for (const std::int64_t offset : {0, 1}) {
      const Shape outer = k.border.outer(k.inner);
      INFO(to_string(k.inner), " to ", to_string(outer), ", offset ", offset);
      const auto x = integer_values<T>(k.inner.count(), 1), g = integer_values<T>(outer.count(), 2),
                 old = integer_values<T>(k.inner.count(), 3);
      std::vector<float> y(outer.count()), dx(k.inner.count());
      pad::reference::forward(convert<float>(x).data(), y.data(), k.inner, k.border);
      pad::reference::backward(convert<float>(g).data(), dx.data(), k.inner, k.border);
      check_every_schedule([&] {
        DeviceArray<T> in(x, offset), out(outer.count(), offset), dy(g, offset),
            grad(k.inner.count(), offset), sum(old, offset);
        DeviceArray<float> wide(outer.count(), offset);
        pad::cuda::forward(nullptr, in.view(k.inner), out.view(outer), k.border);
        pad::cuda::forward(nullptr, in.view(k.inner), wide.view(outer), k.border);
        CHECK(convert<float>(out.host()) == y);
        CHECK(wide.host() == y);
        pad::cuda::backward(nullptr, dy.view(outer), grad.view(k.inner), false, k.border);
        pad::cuda::backward(nullptr, dy.view(outer), sum.view(k.inner), true, k.border);
        CHECK(convert<float>(grad.host()) == dx);
        CHECK(same_bits(sum.host(), convert<T>(sum_of(old, dx))));

        pad::cuda::fold_in_place(nullptr, dy.view(outer), k.border);
        CHECK(convert<float>(interior(dy.host(), k)) == dx);
        DeviceArray<T> filled(g, offset);
        pad::cuda::fill_in_place(nullptr, filled.view(outer), k.border);
        std::vector<T> expected(outer.count());
        pad::reference::forward(interior(g, k).data(), expected.data(), k.inner, k.border);
        CHECK(same_bits(filled.host(), expected));
        return Bits() << out << wide << grad << sum << dy << filled;
      });
    }
}

TEST_CASE_TEMPLATE("pad cuda: windows are cut out and put back", T, float, bf16) {
  for (const std::int64_t channels : {3, 8}) {
    const Shape whole{2, 9, 11, channels}, part{2, 4, 6, channels};
    const auto x = integer_values<T>(whole.count(), 1), g = integer_values<T>(part.count(), 2);
    std::vector<T> y(part.count()), dx(whole.count());
    pad::reference::crop_forward(x.data(), y.data(), whole, part, 3, 5);
    pad::reference::crop_backward(g.data(), dx.data(), whole, part, 3, 5);
    check_every_schedule([&] {
      DeviceArray<T> in(x), out(part.count()), dy(g), grad(whole.count()), sum(x);
      pad::cuda::crop_forward(nullptr, in.view(whole), out.view(part), 3, 5);
      pad::cuda::crop_backward(nullptr, dy.view(part), grad.view(whole), false, 3, 5);
      pad::cuda::crop_backward(nullptr, dy.view(part), sum.view(whole), true, 3, 5);
      CHECK(same_bits(out.host(), y));
      CHECK(same_bits(grad.host(), dx));
      CHECK(max_error(sum_of(x, dx), sum.host()) == 0);
      return Bits() << out << grad << sum;
    });
  }
}

TEST_CASE_TEMPLATE("upsample cuda: integers exactly as the plain loops", T, float, bf16) {
  for (const std::int64_t channels : {3, 7, 16})
    for (const std::int64_t offset : {0, 1}) {
      const Shape s{2, 5, 6, channels}, doubled{2, 10, 12, channels};
      const auto x = integer_values<T>(s.count(), 1), g = integer_values<T>(doubled.count(), 2);
      std::vector<T> y(doubled.count()), dx(s.count());
      upsample::reference::forward(x.data(), y.data(), s);
      upsample::reference::backward(g.data(), dx.data(), s);
      check_every_schedule([&] {
        DeviceArray<T> in(x, offset), out(doubled.count(), offset), dy(g, offset), grad(s.count(), offset),
            sum(x, offset);
        upsample::cuda::upsample_nearest_forward(nullptr, in.view(s), out.view(doubled));
        upsample::cuda::upsample_nearest_backward(nullptr, dy.view(doubled), grad.view(s), false);
        upsample::cuda::upsample_nearest_backward(nullptr, dy.view(doubled), sum.view(s), true);
        CHECK(same_bits(out.host(), y));
        CHECK(same_bits(grad.host(), dx));
        CHECK(max_error(sum_of(x, dx), sum.host()) == 0);
        return Bits() << out << grad << sum;
      });
    }
}

TEST_CASE("upsample cuda: folded weights, and their gradient as the transpose") {
  for (const std::int64_t c : {3, 8}) {
    constexpr std::int64_t k = 5;
    const auto w = integer_values<float>(k * 9 * c, 1), g = integer_values<float>(4 * k * 4 * c, 2);
    std::vector<float> w4(4 * k * 4 * c);
    upsample::reference::fold_weights(w.data(), k, c, w4.data());
    check_every_schedule([&] {
      DeviceArray<float> in(w), out(4 * k * 4 * c), dw4(g), dw(k * 9 * c), sum(w);
      upsample::cuda::fold_weights(nullptr, in.data(), k, c, out.data());
      CHECK(out.host() == w4);
      upsample::cuda::unfold_gradient(nullptr, dw4.data(), k, c, dw.data(), false);
      upsample::cuda::unfold_gradient(nullptr, dw4.data(), k, c, sum.data(), true);
      double forward = 0, backward = 0;  // <fold(w), g> = <w, unfold(g)>
      for (std::size_t i = 0; i < w4.size(); ++i) forward += double(w4[i]) * g[i];
      const auto unfolded = dw.host();
      for (std::size_t i = 0; i < w.size(); ++i) backward += double(w[i]) * unfolded[i];
      CHECK(forward == backward);
      CHECK(max_error(sum_of(w, unfolded), sum.host()) == 0);
      return Bits() << out << dw << sum;
    });
  }
}

}  // namespace chiaro::emulated
