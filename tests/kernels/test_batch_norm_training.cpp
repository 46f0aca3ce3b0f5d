#include <limits>

#include "kernels/norm/batch_norm_training.hpp"
#include "kernels/norm/batch_norm_training_reference.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;
namespace training = batch_norm::training;

namespace {

template <class T>
struct Forward {
  std::vector<T> y;
  std::vector<float> mean, rstd, running_mean, running_variance;
};

struct Parameters {
  std::vector<float> scale, offset, running_mean, running_variance;
  explicit Parameters(std::int64_t c)
      : scale(random_values<float>(c, 11, 0.5, 2)),
        offset(random_values<float>(c, 12)),
        running_mean(random_values<float>(c, 13)),
        running_variance(random_values<float>(c, 14, 0.1, 2)) {}
};

template <class T>
Forward<T> forward(Context& context, Shape s, const std::vector<T>& x, const std::vector<T>* residual,
                   const Parameters& p, const training::Attributes& attr) {
  const auto c = static_cast<std::size_t>(s.c);
  Forward<T> f{std::vector<T>(x.size()), std::vector<float>(c), std::vector<float>(c), p.running_mean,
               p.running_variance};
  std::vector<double> workspace(training::forward_workspace_bytes(context, s) / 8);
  training::forward(context, {.x = view(x, s),
                              .scale = p.scale.data(),
                              .offset = p.offset.data(),
                              .residual = residual ? view(*residual, s) : ConstTensorView{},
                              .y = view(f.y, s),
                              .mean = f.mean.data(),
                              .rstd = f.rstd.data(),
                              .running_mean = f.running_mean.data(),
                              .running_variance = f.running_variance.data(),
                              .workspace = workspace.data(),
                              .attr = attr});
  return f;
}

template <class T>
struct Gradients {
  std::vector<T> dx, dresidual;
  std::vector<float> dscale, doffset;
};

// `start` holds what the gradients are before: garbage to overwrite or the values to add to.
template <class T>
Gradients<T> backward(Context& context, Shape s, const std::vector<T>& x, const Forward<T>& f,
                      const std::vector<T>& dy, const Parameters& p, const training::Attributes& attr,
                      Gradients<T> start, GradientMode mode) {
  std::vector<double> workspace(training::backward_workspace_bytes(context, s) / 8);
  training::backward(context, {.x = view(x, s),
                               .y = attr.relu ? view(f.y, s) : ConstTensorView{},
                               .scale = p.scale.data(),
                               .mean = f.mean.data(),
                               .rstd = f.rstd.data(),
                               .dy = view(dy, s),
                               .dx = view(start.dx, s),
                               .dx_mode = mode,
                               .dscale = start.dscale.data(),
                               .doffset = start.doffset.data(),
                               .param_mode = mode,
                               .dresidual = view(start.dresidual, s),
                               .dresidual_mode = mode,
                               .workspace = workspace.data(),
                               .attr = attr});
  return start;
}

template <class T>
std::vector<float> joined(const std::vector<T>& elements, std::initializer_list<std::vector<float>> rest) {
  auto all = convert<float>(elements);
  for (const auto& part : rest) all.insert(all.end(), part.begin(), part.end());
  return all;
}

std::vector<double> sum(std::vector<double> a, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

template <class T>
void check_op(Shape s, const training::Attributes& attr, bool with_residual) {
  CAPTURE(to_string(s));
  const Parameters p(s.c);
  const auto x = random_values<T>(s.count(), 1, -1, 3), dy = random_values<T>(s.count(), 2),
             residual = random_values<T>(s.count(), 3);
  const auto* added = with_residual ? &residual : nullptr;
  const std::int64_t pixels = s.n * s.pixels();

  const auto exact_x = convert<double>(x), exact_residual = convert<double>(residual);
  const auto scale = convert<double>(p.scale), offset = convert<double>(p.offset);
  std::vector<double> y(x.size()), mean(p.scale.size()), rstd(mean),
      run_mean = convert<double>(p.running_mean), run_var = convert<double>(p.running_variance);
  training::reference::forward(s, exact_x.data(), scale.data(), offset.data(),
                               added ? exact_residual.data() : nullptr, y.data(), mean.data(), rstd.data(),
                               run_mean.data(), run_var.data(), attr);
  std::vector<T> y_plain(x.size());
  auto mean_plain = p.scale, rstd_plain = p.scale;
  training::reference::forward<T>(s, x.data(), p.scale.data(), p.offset.data(),
                                  added ? residual.data() : nullptr, y_plain.data(), mean_plain.data(),
                                  rstd_plain.data(), nullptr, nullptr, attr);
  Forward<T> f;
  run_with_any_threads([&](Context& context) {
    f = forward(context, s, x, added, p, attr);
    return joined(f.y, {f.mean, f.rstd, f.running_mean, f.running_variance});
  });
  check_close(y, f.y, y_plain, 1);
  CHECK(nmse(mean, f.mean) <= 1e-13);
  CHECK(nmse(rstd, f.rstd) <= 1e-13);
  CHECK(nmse(run_mean, f.running_mean) <= 1e-13);
  CHECK(nmse(run_var, f.running_variance) <= 1e-13);

  // Gradients at the y that was found, so that the masks agree.
  const auto found_y = convert<double>(f.y), exact_dy = convert<double>(dy);
  std::vector<double> dx(x.size()), dresidual(x.size()), dscale(mean.size()), doffset(mean.size());
  training::reference::backward(s, exact_x.data(), found_y.data(), scale.data(), mean.data(), rstd.data(),
                                exact_dy.data(), dx.data(), dscale.data(), doffset.data(), dresidual.data(),
                                attr);
  const Gradients<T> before{random_values<T>(s.count(), 4), random_values<T>(s.count(), 5),
                            random_values<float>(s.c, 6), random_values<float>(s.c, 7)};
  Gradients<T> plain = before;
  training::reference::backward<T>(s, x.data(), f.y.data(), p.scale.data(), f.mean.data(), f.rstd.data(),
                                   dy.data(), plain.dx.data(), plain.dscale.data(), plain.doffset.data(),
                                   plain.dresidual.data(), attr);
  for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
    Gradients<T> found;
    run_with_any_threads([&](Context& context) {
      found = backward(context, s, x, f, dy, p, attr, before, mode);
      return joined(found.dx, {convert<float>(found.dresidual), found.dscale, found.doffset});
    });
    if (mode == GradientMode::Overwrite) {
      check_close(dx, found.dx, plain.dx, 1);
      CHECK(nmse(dresidual, found.dresidual) == 0);
      CHECK(nmse(dscale, found.dscale) <= 1e-15 * std::max<double>(100, pixels));
      CHECK(nmse(doffset, found.doffset) <= 1e-15 * std::max<double>(100, pixels));
    } else {
      const auto total_dx = sum(convert<double>(before.dx), dx),
                 total_residual = sum(convert<double>(before.dresidual), dresidual);
      check_close(total_dx, found.dx, convert<T>(convert<float>(total_dx)), 1);
      check_close(total_residual, found.dresidual, convert<T>(convert<float>(total_residual)), 1);
      CHECK(nmse(sum(convert<double>(before.dscale), dscale), found.dscale) <=
            1e-15 * std::max<double>(100, pixels));
      CHECK(nmse(sum(convert<double>(before.doffset), doffset), found.doffset) <=
            1e-15 * std::max<double>(100, pixels));
    }
  }
}

}  // namespace

TEST_CASE("batch_norm training: forward and backward match the reference") {
  for (const Shape s : {Shape{2, 9, 31, 3}, Shape{3, 20, 20, 65}, Shape{2, 8, 8, 320}, Shape{1, 5, 3, 7}})
    for (const bool relu : {false, true})
      for (const bool residual : {false, true}) {
        const training::Attributes attr{.eps = 1e-4f, .momentum = 0.25f, .relu = relu};
        check_op<float>(s, attr, residual);
        check_op<bf16>(s, attr, residual);
      }
}

TEST_CASE("batch_norm training: reference gradients match finite differences") {
  const Shape s = {2, 3, 2, 3};
  const auto x = convert<double>(random_values<float>(s.count(), 1)),
             residual = convert<double>(random_values<float>(s.count(), 2)),
             dy = convert<double>(random_values<float>(s.count(), 3)),
             scale = convert<double>(random_values<float>(s.c, 4, 0.5, 2)),
             offset = convert<double>(random_values<float>(s.c, 5));
  for (const bool relu : {false, true}) {
    const training::Attributes attr{.eps = 1e-3f, .relu = relu};
    std::vector<double> y(x.size()), mean(scale), rstd(scale);
    const auto loss = [&](const std::vector<double>& x_, const std::vector<double>& r,
                          const std::vector<double>& k, const std::vector<double>& b) {
      training::reference::forward(s, x_.data(), k.data(), b.data(), r.data(), y.data(), mean.data(),
                                   rstd.data(), static_cast<double*>(nullptr), static_cast<double*>(nullptr),
                                   attr);
      return dot(y, dy);
    };
    loss(x, residual, scale, offset);
    std::vector<double> dx(x.size()), dresidual(x.size()), dscale(scale), doffset(scale);
    training::reference::backward(s, x.data(), y.data(), scale.data(), mean.data(), rstd.data(), dy.data(),
                                  dx.data(), dscale.data(), doffset.data(), dresidual.data(), attr);
    check_gradient(x, dx, [&](const auto& at) { return loss(at, residual, scale, offset); });
    check_gradient(residual, dresidual, [&](const auto& at) { return loss(x, at, scale, offset); });
    check_gradient(scale, dscale, [&](const auto& at) { return loss(x, residual, at, offset); });
    check_gradient(offset, doffset, [&](const auto& at) { return loss(x, residual, scale, at); });
  }
}

// Every channel is its mean plus or minus 2, as often: variance 4, rstd 1/2. All values below are exact.
TEST_CASE("batch_norm training: integers are normalized exactly") {
  Context context(2);
  const Shape s = {2, 4, 4, 5};
  const std::int64_t pixels = s.n * s.pixels();
  Parameters p(s.c);
  p.scale = {1, 2, 3, 4, 5};
  p.offset = {0, 1, -1, 2, -2};
  p.running_mean = {8, 0, 4, 4, 0};
  p.running_variance = {0, 4, 8, 0, 0};
  std::vector<float> x(s.count()), expected(x.size());
  const auto residual = integer_values<float>(s.count(), 1), dy = integer_values<float>(s.count(), 2);
  const auto sign = [](std::int64_t pixel, std::int64_t c) { return (pixel + c) % 2 == 0 ? 1.f : -1.f; };
  for (std::int64_t i = 0; i < s.count(); ++i) {
    const std::int64_t c = i % s.c;
    x[i] = float(3 * c) + 2 * sign(i / s.c, c);
    expected[i] = std::max(0.f, p.scale[c] * sign(i / s.c, c) + p.offset[c] + residual[i]);
  }
  const training::Attributes attr{.eps = 0, .momentum = 0.5f, .relu = true};
  const auto f = forward(context, s, x, &residual, p, attr);
  CHECK(f.y == expected);
  CHECK(f.mean == std::vector<float>{0, 3, 6, 9, 12});
  CHECK(f.rstd == std::vector<float>(5, 0.5f));
  CHECK(f.running_mean == std::vector<float>{4, 1.5f, 5, 6.5f, 6});
  for (std::int64_t c = 0; c < s.c; ++c)
    CHECK(f.running_variance[c] == float(0.5 * p.running_variance[c] + 0.5 * 4.0 * 32.0 / 31.0));

  const Gradients<float> garbage{x, x, p.scale, p.scale};
  const auto found = backward(context, s, x, f, dy, p, attr, garbage, GradientMode::Overwrite);
  for (std::int64_t c = 0; c < s.c; ++c) {
    float sum_g = 0, sum_gx = 0;
    const auto g = [&](std::int64_t q) { return f.y[q * s.c + c] > 0 ? dy[q * s.c + c] : 0.f; };
    for (std::int64_t q = 0; q < pixels; ++q) {
      sum_g += g(q);
      sum_gx += g(q) * sign(q, c);
    }
    CHECK(found.doffset[c] == sum_g);
    CHECK(found.dscale[c] == sum_gx);
    for (std::int64_t q = 0; q < pixels; ++q) {
      const std::int64_t i = q * s.c + c;
      CHECK(found.dresidual[i] == g(q));
      CHECK(found.dx[i] ==
            p.scale[c] * 0.5f * (g(q) - sum_g / float(pixels) - sign(q, c) * sum_gx / float(pixels)));
    }
  }
}

TEST_CASE("batch_norm training: a small variance around a large mean keeps its digits") {
  Context context(2);
  const Shape s = {4, 32, 32, 3};
  auto x = random_values<float>(s.count(), 1, -1, 1);
  for (float& v : x) v += 4096;
  Parameters p(s.c);
  const training::Attributes attr{.momentum = 1};
  const auto f = forward<float>(context, s, x, nullptr, p, attr);
  for (std::int64_t c = 0; c < s.c; ++c) {
    double mean = 0, squares = 0;
    const std::int64_t pixels = s.n * s.pixels();
    for (std::int64_t q = 0; q < pixels; ++q) mean += double(x[q * s.c + c]) / double(pixels);
    for (std::int64_t q = 0; q < pixels; ++q) squares += std::pow(double(x[q * s.c + c]) - mean, 2);
    CHECK(std::abs(f.running_variance[c] / (squares / double(pixels - 1)) - 1) <= 1e-6);
    CHECK(f.running_mean[c] == doctest::Approx(mean).epsilon(1e-7));
  }
}

TEST_CASE("batch_norm training: NaN stays NaN, in its channel only") {
  Context context(2);
  const Shape s = {1, 4, 4, 3};
  auto x = random_values<float>(s.count(), 1);
  x[4] = std::numeric_limits<float>::quiet_NaN();
  const auto f = forward<float>(context, s, x, nullptr, Parameters(s.c), {.relu = true});
  for (std::int64_t i = 0; i < s.count(); ++i) CHECK(std::isnan(f.y[i]) == (i % 3 == 1));
}

TEST_CASE("batch_norm training: gradients that are not wanted are not touched") {
  Context context(1);
  const Shape s = {1, 2, 2, 3};
  const auto x = random_values<float>(s.count(), 1);
  const Parameters p(s.c);
  const auto f = forward<float>(context, s, x, nullptr, p, {});
  const Gradients<float> before{x, x, p.scale, p.scale};
  const auto after = backward(context, s, x, f, x, p, {}, before, GradientMode::Ignore);
  CHECK(after.dx == before.dx);
  CHECK(after.dresidual == before.dresidual);
  CHECK(after.dscale == before.dscale);
}

TEST_CASE("batch_norm training: wrong arguments are refused") {
  Context context(1);
  std::vector<float> x(12), y(6), v(3);
  std::vector<double> workspace(100);
  training::ForwardArgs args{.x = view(x, {1, 2, 2, 3}), .y = view(y, {1, 1, 2, 3})};
  const auto error = [&] { return error_of([&] { training::forward(context, args); }); };
  CHECK(error() == "batch_norm training forward: y has shape (1,1,2,3), expected (1,2,2,3)");
  args.y = view(x, {1, 2, 2, 3});
  CHECK(error() == "batch_norm training forward: scale is missing");
  args.scale = args.offset = args.mean = args.rstd = args.running_mean = v.data();
  CHECK(error() == "batch_norm training forward: running_mean and running_variance are updated together");
  args.running_variance = v.data();
  CHECK(error() == "batch_norm training forward: the workspace is missing");
  CHECK(error_of([&] {
          training::forward(context, {.x = view(v, {1, 1, 1, 3}), .y = view(v, {1, 1, 1, 3})});
        }) == "batch_norm training forward: x (1,1,1,3) has one pixel, which has no variance");
  CHECK(error_of([&] {
          training::backward(
              context, {.x = view(x, {1, 2, 2, 3}), .dy = view(x, {1, 2, 2, 3}), .attr = {.relu = true}});
        }) == "batch_norm training backward: y is missing");
}

}  // namespace chiaro
