#include "kernels/gram/gram.hpp"
#include "kernels/gram/gram_reference.hpp"
#include "kernels/gram/style_loss.hpp"
#include "kernels/losses/losses.hpp"
#include "tests/kernels/every_device.hpp"

namespace chiaro::testing {

namespace {

// One tile of channels and several, splits of pixels, channels and pixels that fill no tile.
const Shape kStyleShapes[] = {{2, 5, 7, 3}, {1, 40, 41, 65}, {2, 16, 9, 64},  {3, 1, 1, 17},
                              {2, 9, 8, 8}, {1, 4, 4, 65},   {2, 25, 21, 24}, {2, 3, 5, 136}};

std::vector<float> symmetric(std::vector<float> values, std::int64_t c) {
  for (std::int64_t i = 0; i < c; ++i)
    for (std::int64_t j = 0; j < i; ++j) values[i * c + j] = values[j * c + i];
  return values;
}

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

// What one call wrote.
template <class T>
struct StyleLoss {
  // factors: of every picture with a target of its own, else empty.
  StyleLoss(Context& context, const std::vector<T>& features, const Shape& s,
            const std::vector<float>& target, float scale, double coefficient, double gradient_coefficient,
            const std::vector<float>& factors = {}, std::int64_t offset = 0)
      : f(context, features, offset),
        wanted(context, target),
        k(context, factors),
        dg(context, s.n * s.c * s.c),
        value(context, factors.empty() ? 1 : s.n),
        workspace(context, gram::style_loss_workspace_bytes(context, s)) {
    gram::style_loss(context, {.f = f.view(s),
                               .target = wanted.data(),
                               .scale = scale,
                               .coefficient = coefficient,
                               .gradient_coefficient = gradient_coefficient,
                               .value = value.data(),
                               .dg = dg.data(),
                               .workspace = workspace.data(),
                               .per_picture = !factors.empty(),
                               .k = k.data()});
  }
  OpArray<T> f;
  OpArray<float> wanted, k, dg, value;
  Workspace workspace;
};

}  // namespace

TEST_CASE_TEMPLATE("style loss: integers exactly, gradient and value", T, float, bf16) {
  for (const Shape& s : kStyleShapes)
    for (const std::int64_t offset : {0, 1}) {
      INFO(to_string(s), ", offset ", offset);
      const auto f = integer_values<T>(s.count(), 1, -2, 2);
      const auto target = symmetric(integer_values<float>(s.c * s.c, 2), s.c);
      const Exact exact = exact_loss(f, s, target, 0.25, 0.5, 2);
      const bool tensor = std::is_same_v<T, bf16> && s.c % 8 == 0 && offset == 0;
      const Words launches{tensor ? "gram_tensor" : "gram_tiled", "gram_style_finish", "finish_sum"};
      check_every_order([&](Context& context) {
        std::unique_ptr<StyleLoss<T>> loss;
        check_launches(launches, context, [&] {
          loss = std::make_unique<StyleLoss<T>>(context, f, s, target, 0.25f, 0.5, 2, std::vector<float>(),
                                                offset);
        });
        CHECK(max_error(exact.dg, loss->dg.host()) == 0);
        CHECK(loss->value.first() == float(exact.value));
        return OpBits() << loss->dg << loss->value;
      });
    }
}

// The target is near the pictures' own matrices, as it is late in a training: the difference of large numbers.
TEST_CASE_TEMPLATE("style loss: random values close to the target", T, float, bf16) {
  Context context = context_under_test(2);
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
    const StyleLoss<T> loss(context, f, s, target, scale, coefficient, 100 * coefficient);
    const auto dg = loss.dg.host();
    CHECK(nmse(exact.dg, dg) <= 1e-11);
    CHECK(loss.value.first() == doctest::Approx(exact.value).epsilon(1e-5));
    for (std::int64_t n = 0; n < s.n; ++n)
      for (std::int64_t i = 0; i < s.c; ++i)
        for (std::int64_t j = 0; j < i; ++j)
          CHECK(dg[(n * s.c + i) * s.c + j] == dg[(n * s.c + j) * s.c + i]);
  }
}

TEST_CASE_TEMPLATE("style loss: targets per picture, exactly", T, float, bf16) {
  for (const Shape& s : {Shape{2, 9, 8, 8}, Shape{3, 5, 7, 3}, Shape{2, 3, 5, 136}}) {
    INFO(to_string(s));
    const auto f = integer_values<T>(s.count(), 1, -2, 2);
    std::vector<float> factors{2, 0.5f, 4}, targets;
    factors.resize(std::size_t(s.n));
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
    check_every_order([&](Context& context) {
      const StyleLoss<T> loss(context, f, s, targets, 0.25f, 0.5, 2, factors);
      CHECK(max_error(dg, loss.dg.host()) == 0);
      const auto found = loss.value.host();
      for (std::int64_t n = 0; n < s.n; ++n) CHECK(found[n] == float(values[n]));
      return OpBits() << loss.dg << loss.value;
    });
  }
}

TEST_CASE_TEMPLATE("style loss: on the CPU the bits of Gram matrix and mse, for each picture with its factor",
                   T, float, bf16) {
  if (!on_cpu()) return;
  for (const Shape& s : kStyleShapes)
    for (const int threads : {1, 2}) {
      INFO(to_string(s), ", threads ", threads);
      Context context = context_under_test(threads);
      const auto f = random_values<T>(s.count(), 1);
      const auto target = symmetric(random_values<float>(s.c * s.c, 2), s.c);
      const StyleLoss<T> loss(context, f, s, target, 0.01f, 0.3, 7.0);

      const Shape matrices{s.n, s.c, s.c, 1};
      const OpArray<float> g(context, matrices.count()), dg(context, matrices.count()), value(context, 1);
      const Workspace workspace(context, gram::forward_workspace_bytes(context, s) +
                                             losses::mse_workspace_bytes(context, matrices));
      gram::forward(context, loss.f.view(s), g.data(), 0.01f, workspace.data());
      losses::mse(context, g.view(matrices), loss.wanted.view({1, s.c, s.c, 1}),
                  {.value = value.data(),
                   .scale = 0.3,
                   .gradient = dg.view(matrices),
                   .mode = GradientMode::Overwrite,
                   .gradient_scale = 7,
                   .workspace = workspace.data()});
      CHECK(loss.value.first() == value.first());
      CHECK(same_bits(loss.dg.host(), dg.host()));

      std::vector<float> targets, factors{1, 0.25f, 3};
      factors.resize(std::size_t(s.n));
      for (std::int64_t n = 0; n < s.n; ++n)
        for (const float wanted : target) targets.push_back(wanted * float(n + 1));
      const StyleLoss<T> all(context, f, s, targets, 0.01f, 0.3, 7.0, factors);
      const Shape one{1, s.h, s.w, s.c};
      const auto values = all.value.host(), gradients = all.dg.host();
      for (std::int64_t n = 0; n < s.n; ++n) {
        const std::int64_t square = s.c * s.c;
        const std::vector<T> picture(f.begin() + n * one.count(), f.begin() + (n + 1) * one.count());
        const std::vector<float> own(targets.begin() + n * square, targets.begin() + (n + 1) * square);
        const double k = factors[n];
        const StyleLoss<T> alone(context, picture, one, own, 0.01f, 0.3 * k, 7.0 * k);
        CHECK(values[n] == alone.value.first());
        CHECK(same_bits(
            std::vector<float>(gradients.begin() + n * square, gradients.begin() + (n + 1) * square),
            alone.dg.host()));
      }
    }
}

TEST_CASE("style loss: dg through gram::backward is the gradient of the value") {
  Context context = context_under_test();
  const Shape s{2, 3, 4, 5};
  const auto f = random_values<float>(s.count(), 1);
  const auto target = symmetric(random_values<float>(s.c * s.c, 2), s.c);
  const double scale = 0.05, coefficient = 0.3;
  const StyleLoss<float> loss(context, f, s, target, float(scale), coefficient, coefficient);
  std::vector<double> df(s.count());
  gram::reference::backward(convert<double>(f).data(), s, convert<double>(loss.dg.host()).data(), scale,
                            df.data(), false);
  const auto value = [&](const std::vector<double>& at) {
    return exact_loss(at, s, target, scale, coefficient, 0).value;
  };
  CHECK(loss.value.first() == doctest::Approx(value(convert<double>(f))).epsilon(1e-5));
  check_gradient(convert<double>(f), df, value);

  OpArray<float> found(context, s.count());
  const Workspace workspace(context, gram::backward_workspace_bytes(context, s, DType::F32));
  gram::backward(context, loss.f.view(s), loss.dg.data(), float(scale), found.view(s),
                 GradientMode::Overwrite, workspace.data());
  CHECK(nmse(df, found.host()) <= 1e-12);
}

TEST_CASE("style loss: every barrier is needed, and its absence found") {
  const Shape s{1, 10, 15, 72};
  // block_sum's first barrier guards against a second call, which these kernels do not make.
  check_barriers_are_needed(
      [&](Context& context) {
        const StyleLoss<float> loss(context, normal_values<float>(s.count(), 1), s,
                                    normal_values<float>(s.c * s.c, 2), 1, 1, 1);
        return OpBits() << loss.dg << loss.value;
      },
      1);
}

TEST_CASE("style loss: missing arguments are named") {
  Context context = context_under_test();
  const OpArray<float> f(context, 12), target(context, 9), dg(context, 9), value(context, 1);
  gram::StyleLossArgs args{.f = f.view({1, 2, 2, 3}), .target = target.data()};
  const auto error = [&] { return error_of([&] { gram::style_loss(context, args); }); };
  CHECK(error() == "style loss: target, value and dg must be given");
  args.value = value.data();
  args.dg = dg.data();
  CHECK(error().starts_with("style loss: a workspace of "));
  args.per_picture = true;
  CHECK(error() == "style loss: k must be given for targets per picture");
}

}  // namespace chiaro::testing
