#include "kernels/resample/upsample.hpp"

#include "kernels/pad/pad.hpp"
#include "kernels/pixel_shuffle/pixel_shuffle.hpp"
#include "kernels/resample/upsample_reference.hpp"
#include "tests/kernels/memory_ops_support.hpp"

namespace chiaro::upsample {

using namespace chiaro::memory_ops;

namespace {

const std::vector<Shape> kShapes = {{1, 1, 1, 3}, {2, 5, 7, 3}, {3, 4, 3, 5}, {1, 9, 8, 16}, {1, 6, 5, 67}};

Shape doubled(const Shape& s) {
  return {s.n, 2 * s.h, 2 * s.w, s.c};
}

// Valid convolution, x: NHWC, w: (k, r, r, C).
Dense<float> convolve(const Dense<float>& x, const std::vector<float>& w, std::int64_t k, std::int64_t r) {
  const Shape& s = x.shape;
  Dense<float> y({s.n, s.h - r + 1, s.w - r + 1, k});
  std::int64_t at = 0;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t i = 0; i < y.shape.h; ++i)
      for (std::int64_t j = 0; j < y.shape.w; ++j)
        for (std::int64_t o = 0; o < k; ++o) {
          float sum = 0;
          for (std::int64_t u = 0; u < r; ++u)
            for (std::int64_t v = 0; v < r; ++v)
              for (std::int64_t c = 0; c < s.c; ++c)
                sum += x.values[((n * s.h + i + u) * s.w + j + v) * s.c + c] *
                       w[((o * r + u) * r + v) * s.c + c];
          y.values[at++] = sum;
        }
  return y;
}

std::vector<float> integers(std::int64_t count, unsigned seed) {
  Dense<float> values({1, 1, 1, count});
  values.fill_integers(seed);
  return {values.values.begin(), values.values.begin() + count};
}

}  // namespace

TEST_CASE_TEMPLATE("upsample: equals the reference in both directions", T, float, bf16) {
  for (int threads : {1, 2}) {
    Context context(threads);
    for (const Shape& s : kShapes) {
      Dense<T> x(s), y(doubled(s)), expected(y.shape), dy(y.shape), dx(s);
      x.fill_normal(1);
      dy.fill_integers(2);
      upsample_nearest_forward(context, x, y);
      reference::forward(x.data(), expected.data(), s);
      CHECK(y.same_bits(expected));

      std::vector<double> gradient(s.count());
      reference::backward(dy.doubles().data(), gradient.data(), s);
      upsample_nearest_backward(context, dy, dx, GradientMode::Overwrite);
      CHECK(dx.doubles() == gradient);
      upsample_nearest_backward(context, dy, dx, GradientMode::Accumulate);
      for (double& g : gradient) g *= 2;
      CHECK(dx.doubles() == gradient);
      upsample_nearest_backward(context, dy, dx, GradientMode::Ignore);
      CHECK(dx.doubles() == gradient);
    }
  }
}

TEST_CASE("upsample: the reference's gradient is the transpose of its forward") {
  const Shape s{2, 3, 4, 3};
  const auto x = random_doubles(s.count(), 3), dy = random_doubles(4 * s.count(), 4);
  std::vector<double> y(4 * s.count()), dx(s.count());
  reference::forward(x.data(), y.data(), s);
  reference::backward(dy.data(), dx.data(), s);
  CHECK(dot(y, dy) == doctest::Approx(dot(x, dx)).epsilon(1e-12));
}

TEST_CASE("upsample: random gradients in fp32 and bf16") {
  Context context;
  const Shape s{2, 5, 7, 3};
  Dense<float> dy(doubled(s)), dx(s);
  Dense<bf16> dy_half(dy.shape), dx_half(s), plain(s);
  dy.fill_normal(5);
  dy_half.fill_normal(5);
  std::vector<double> exact(s.count());
  reference::backward(dy.doubles().data(), exact.data(), s);
  upsample_nearest_backward(context, dy, dx, GradientMode::Overwrite);
  CHECK(nmse(exact, dx.doubles()) <= fp32_bound(4));
  reference::backward(dy_half.doubles().data(), exact.data(), s);
  reference::backward(dy_half.data(), plain.data(), s);
  upsample_nearest_backward(context, dy_half, dx_half, GradientMode::Overwrite);
  CHECK(max_error(exact, dx_half.doubles()) <= bf16_bound(exact, plain.doubles()));
}

TEST_CASE("upsample: a folded 2x2 convolution equals upsampling and a 3x3 convolution") {
  Context context;
  const std::int64_t k = 5;
  for (const Shape& s : kShapes) {
    Dense<float> x(s), up(doubled(s)), up_padded(Pad::uniform(1).outer(up.shape));
    x.fill_integers(6);
    const auto w = integers(k * 9 * s.c, 7);
    upsample_nearest_forward(context, x, up);
    pad::forward(context, up, up_padded, Pad::uniform(1));
    const Dense<float> expected = convolve(up_padded, w, k, 3);

    std::vector<float> w4(4 * k * 4 * s.c, -1.0f);
    fold_weights(context, w.data(), k, s.c, w4.data());
    const auto replicate = Pad::uniform(1, PadMode::Replicate);
    Dense<float> x_padded(replicate.outer(s)), y(expected.shape);
    pad::forward(context, x, x_padded, replicate);
    const Dense<float> phases = convolve(x_padded, w4, 4 * k, 2);
    pixel_shuffle::ForwardArgs args{.sources = {}, .y = y};
    for (int phase = 0; phase < 4; ++phase) args.sources[phase] = {phases, phase / 2, phase % 2, phase * k};
    pixel_shuffle::forward(context, args);
    CHECK(y.same_bits(expected));
  }
}

TEST_CASE("upsample: folding equals the reference, and its gradient is the transpose") {
  Context context;
  const std::int64_t k = 3, c = 5;
  const auto w = integers(k * 9 * c, 8), dw4 = integers(4 * k * 4 * c, 9);
  std::vector<float> w4(dw4.size(), -1.0f), expected(dw4.size()), dw(w.size(), -1.0f);
  fold_weights(context, w.data(), k, c, w4.data());
  reference::fold_weights(w.data(), k, c, expected.data());
  CHECK(w4 == expected);
  unfold_gradient(context, dw4.data(), k, c, dw.data(), GradientMode::Overwrite);
  CHECK(dot(to_doubles(w4), to_doubles(dw4)) == dot(to_doubles(w), to_doubles(dw)));

  auto twice = dw;
  unfold_gradient(context, dw4.data(), k, c, twice.data(), GradientMode::Accumulate);
  for (float& v : dw) v *= 2;
  CHECK(twice == dw);
  unfold_gradient(context, dw4.data(), k, c, twice.data(), GradientMode::Ignore);
  CHECK(twice == dw);
}

TEST_CASE("upsample: wrong arguments are named") {
  Context context;
  Dense<float> x({1, 2, 2, 3}), y({1, 4, 5, 3});
  CHECK(error_of([&] { upsample_nearest_forward(context, x, y); }) ==
        "upsample forward: y has shape (1,4,5,3), expected (1,4,4,3)");
  CHECK(error_of([&] { upsample_nearest_backward(context, y, x, GradientMode::Overwrite); }) ==
        "upsample backward: dy has shape (1,4,5,3), expected (1,4,4,3)");
  CHECK(contains(error_of([&] { fold_weights(context, nullptr, 2, 2, nullptr); }), "missing weights"));
}

}  // namespace chiaro::upsample
