#include "kernels/gram/gram.hpp"
#include "kernels/gram/gram_reference.hpp"
#include "kernels/gram/style_loss.hpp"
#include "kernels/losses/losses.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

namespace {

const Shape kShapes[] = {{2, 5, 7, 3}, {1, 40, 41, 65}, {2, 16, 9, 64}, {3, 1, 1, 17}};

std::vector<float> symmetric_target(std::int64_t c) {
  auto target = random_values<float>(c * c, 2);
  for (std::int64_t i = 0; i < c; ++i)
    for (std::int64_t j = 0; j < i; ++j) target[i * c + j] = target[j * c + i];
  return target;
}

struct Loss {
  float value = NAN;
  std::vector<float> dg;
};

template <class T>
Loss run(Context& context, const std::vector<T>& f, Shape s, const std::vector<float>& target, float scale,
         double coefficient, double gradient_coefficient) {
  Loss loss{.dg = std::vector<float>(s.n * s.c * s.c, NAN)};
  std::vector<double> workspace((gram::style_loss_workspace_bytes(context, s) + 7) / 8);
  gram::style_loss(context, {.f = view(f, s),
                             .target = target.data(),
                             .scale = scale,
                             .coefficient = coefficient,
                             .gradient_coefficient = gradient_coefficient,
                             .value = &loss.value,
                             .dg = loss.dg.data(),
                             .workspace = workspace.data()});
  return loss;
}

}  // namespace

TEST_CASE_TEMPLATE("style loss: the bits of Gram matrix, squared difference and its gradient", T, float,
                   bf16) {
  for (const Shape& s : kShapes)
    for (const int threads : {1, 2}) {
      CAPTURE(to_string(s));
      Context context(threads);
      const auto f = random_values<T>(s.count(), 1);
      const auto target = symmetric_target(s.c);
      const Loss loss = run(context, f, s, target, 0.01f, 0.3, 7.0);

      const Shape matrices{s.n, s.c, s.c, 1};
      std::vector<float> g(matrices.count()), dg(g.size());
      std::vector<double> workspace(gram::forward_workspace_bytes(context, s) / 8 +
                                    losses::mse_workspace_bytes(context, matrices) / 8 + 1);
      gram::forward(context, view(f, s), g.data(), 0.01f, workspace.data());
      float value = NAN;
      losses::mse_forward(context, view(g, matrices), view(target, {1, s.c, s.c, 1}), 0.3, &value,
                          workspace.data());
      losses::mse_backward(context, view(g, matrices), view(target, {1, s.c, s.c, 1}), 7.0,
                           view(dg, matrices), GradientMode::Overwrite);
      CHECK(loss.value == value);
      CHECK(same_bits(loss.dg, dg));
    }
}

TEST_CASE("style loss: dg through gram::backward is the gradient of the value") {
  Context context(1);
  const Shape s{2, 3, 4, 5};
  const auto f = random_values<float>(s.count(), 1);
  const auto target = symmetric_target(s.c);
  const double scale = 0.05, coefficient = 0.3;
  const Loss loss = run(context, f, s, target, float(scale), coefficient, coefficient);
  std::vector<double> df(s.count());
  gram::reference::backward(convert<double>(f).data(), s, convert<double>(loss.dg).data(), scale, df.data(),
                            false);
  const auto value = [&](const std::vector<double>& at) {
    std::vector<double> g(s.n * s.c * s.c);
    gram::reference::forward(at.data(), s, g.data(), scale);
    double sum = 0;
    for (std::size_t i = 0; i < g.size(); ++i) {
      const double d = g[i] - double(target[i % target.size()]);
      sum += d * d;
    }
    return coefficient * sum;
  };
  CHECK(loss.value == doctest::Approx(value(convert<double>(f))).epsilon(1e-5));
  check_gradient(convert<double>(f), df, value);
}

TEST_CASE_TEMPLATE("style loss: targets per picture give what each picture gives alone, times its factor", T,
                   float, bf16) {
  for (const Shape& s : kShapes) {
    CAPTURE(to_string(s));
    Context context(2);
    const auto f = random_values<T>(s.count(), 1);
    std::vector<float> targets, factors{1, 0.25f, 3};
    for (std::int64_t n = 0; n < s.n; ++n) {
      const auto target = symmetric_target(s.c);
      for (const float value : target) targets.push_back(value * float(n + 1));
    }
    std::vector<float> values(s.n, NAN), dg(s.n * s.c * s.c, NAN);
    std::vector<double> workspace((gram::style_loss_workspace_bytes(context, s) + 7) / 8);
    gram::style_loss(context, {.f = view(f, s),
                               .target = targets.data(),
                               .scale = 0.01f,
                               .coefficient = 0.3,
                               .gradient_coefficient = 7.0,
                               .value = values.data(),
                               .dg = dg.data(),
                               .workspace = workspace.data(),
                               .per_picture = true,
                               .k = factors.data()});
    const Shape one{1, s.h, s.w, s.c};
    for (std::int64_t n = 0; n < s.n; ++n) {
      const std::vector<T> picture(f.begin() + n * one.count(), f.begin() + (n + 1) * one.count());
      const std::vector<float> target(targets.begin() + n * s.c * s.c, targets.begin() + (n + 1) * s.c * s.c);
      const double k = factors[n];
      const Loss alone = run(context, picture, one, target, 0.01f, 0.3 * k, 7.0 * k);
      CHECK(values[n] == alone.value);
      CHECK(same_bits(std::vector<float>(dg.begin() + n * s.c * s.c, dg.begin() + (n + 1) * s.c * s.c),
                      alone.dg));
    }
  }
}

TEST_CASE("style loss: missing arguments are named") {
  Context context(1);
  std::vector<float> f(12), target(9), dg(9);
  float value;
  gram::StyleLossArgs args{.f = view(std::as_const(f), {1, 2, 2, 3}), .target = target.data()};
  CHECK(error_of([&] { gram::style_loss(context, args); }) ==
        "style loss: target, value and dg must be given");
  args.value = &value;
  args.dg = dg.data();
  CHECK(error_of([&] { gram::style_loss(context, args); }).starts_with("style loss: a workspace of "));
  args.per_picture = true;
  CHECK(error_of([&] { gram::style_loss(context, args); }) ==
        "style loss: k must be given for targets per picture");
}

}  // namespace chiaro
