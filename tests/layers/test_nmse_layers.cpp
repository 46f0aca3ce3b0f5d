// The losses between two networks' features, against double-precision loops.
#include <doctest/doctest.h>

#include "kernels/gram/gram_reference.hpp"
#include "kernels/losses/losses_reference.hpp"
#include "layers/gram_loss_layers.hpp"
#include "tests/kernels/op_testing.hpp"
#include "tests/layers/golden_support.hpp"

using namespace chiaro;
namespace op = chiaro::testing;

namespace {

constexpr double kWeight = 3, kLayerWeight = 0.5;

double exact_feature_loss(const std::vector<double>& x, Shape s, const std::vector<double>& t) {
  return losses::reference::nmse(x.data(), s, t.data(), kLayerWeight / double(s.n));
}

std::vector<double> exact_gram(const std::vector<double>& x, Shape s) {
  std::vector<double> g(static_cast<std::size_t>(s.n * s.c * s.c));
  gram::reference::forward(x.data(), s, g.data(), 1 / double(s.pixels() * s.c));
  return g;
}

double exact_gram_loss(const std::vector<double>& x, Shape s, const std::vector<double>& t) {
  return losses::reference::nmse(exact_gram(x, s).data(), {s.n, s.c, s.c, 1}, exact_gram(t, s).data(),
                                 kLayerWeight / double(s.n));
}

std::vector<double> exact_feature_gradient(const std::vector<double>& x, Shape s,
                                           const std::vector<double>& t) {
  std::vector<double> dx(x.size());
  losses::reference::nmse(x.data(), s, t.data(), kWeight * kLayerWeight / double(s.n), dx.data(), false);
  return dx;
}

std::vector<double> exact_gram_gradient(const std::vector<double>& x, Shape s, const std::vector<double>& t) {
  const auto g = exact_gram(x, s), wanted = exact_gram(t, s);
  std::vector<double> dg(g.size()), dx(x.size());
  losses::reference::nmse(g.data(), {s.n, s.c, s.c, 1}, wanted.data(), kWeight * kLayerWeight / double(s.n),
                          dg.data(), false);
  gram::reference::backward(x.data(), s, dg.data(), 1 / double(s.pixels() * s.c), dx.data(), false);
  return dx;
}

// Both losses on one pair of features.
struct Pair {
  Pair(Context& context, const std::vector<float>& x, const std::vector<float>& t, Shape s, DType dtype,
       SessionOptions options = {.backward = true}) {
    Graph graph(context);
    const TensorId target = graph.add_input("target", {s, dtype});
    features = graph.add_input("features", {s, dtype}, /*wants_gradient=*/true);
    graph.keep_gradient(features);
    const LossOptions weights{.weight = kWeight, .layer_weight = kLayerWeight};
    graph.add_loss("feature", "feature", std::make_unique<NmseFeatureLossLayer>(weights), {features, target});
    graph.add_loss("gram", "gram", std::make_unique<NmseGramLossLayer>(weights), {features, target});
    options.backward = true;
    session = std::make_unique<Session>(std::move(graph), options);
    set(session->tensor(features), x);
    set(session->tensor(target), t);
  }
  std::vector<float> gradient(const std::string& term) {
    session->forward();
    session->backward(term);
    return test::to_floats(session->gradient(features));
  }
  static void set(TensorView to, const std::vector<float>& values) {
    visit_dtype(to.dtype, [&](auto zero) {
      using T = decltype(zero);
      for (std::size_t i = 0; i < values.size(); ++i) to.as<T>()[i] = T(values[i]);
    });
  }

  TensorId features = -1;
  std::unique_ptr<Session> session;
};

struct Values {
  explicit Values(Shape s) : shape(s) {
    // Like features behind a ReLU, and both exact in bf16.
    x = op::convert<float>(op::random_values<bf16>(s.count(), 1, 0, 3));
    t = op::convert<float>(op::random_values<bf16>(s.count(), 2, 0, 2));
  }
  std::vector<double> exact_x() const { return op::convert<double>(x); }
  std::vector<double> exact_t() const { return op::convert<double>(t); }
  Shape shape;
  std::vector<float> x, t;
};

}  // namespace

TEST_CASE("relative losses: values and gradients match double-precision loops") {
  for (const Shape s : {Shape{1, 4, 4, 3}, Shape{3, 9, 5, 7}, Shape{2, 16, 12, 40}}) {
    CAPTURE(to_string(s));
    const Values v(s);
    Context context(2);
    Pair pair(context, v.x, v.t, s, DType::F32);
    pair.session->forward();
    CHECK(pair.session->loss("feature") ==
          doctest::Approx(exact_feature_loss(v.exact_x(), s, v.exact_t())).epsilon(1e-6));
    CHECK(pair.session->loss("gram") ==
          doctest::Approx(exact_gram_loss(v.exact_x(), s, v.exact_t())).epsilon(1e-6));
    CHECK(op::nmse(exact_feature_gradient(v.exact_x(), s, v.exact_t()), pair.gradient("feature")) < 1e-12);
    CHECK(op::nmse(exact_gram_gradient(v.exact_x(), s, v.exact_t()), pair.gradient("gram")) < 1e-12);
  }
}

TEST_CASE("relative losses: the loops' gradients agree with finite differences") {
  const Shape s{2, 3, 2, 3};
  const Values v(s);
  const auto t = v.exact_t();
  op::check_gradient(v.exact_x(), exact_feature_gradient(v.exact_x(), s, t),
                     [&](const std::vector<double>& at) { return kWeight * exact_feature_loss(at, s, t); });
  op::check_gradient(v.exact_x(), exact_gram_gradient(v.exact_x(), s, t),
                     [&](const std::vector<double>& at) { return kWeight * exact_gram_loss(at, s, t); });
}

TEST_CASE("relative losses: both terms together, in bf16, are the sum of both within its precision") {
  const Values v({2, 8, 8, 16});
  Context context(1);
  Pair pair(context, v.x, v.t, v.shape, DType::BF16);
  auto exact = exact_feature_gradient(v.exact_x(), v.shape, v.exact_t());
  const auto gram = exact_gram_gradient(v.exact_x(), v.shape, v.exact_t());
  for (std::size_t i = 0; i < exact.size(); ++i) exact[i] += gram[i];
  CHECK(op::nmse(exact, pair.gradient("")) < 1e-5);
}

TEST_CASE("relative losses: nothing undeclared is read, and the bits do not depend on threads") {
  const Values v({2, 8, 8, 16});
  const auto run = [&](int threads, bool poison) {
    Context context(threads);
    Pair pair(context, v.x, v.t, v.shape, DType::F32, {.poison = poison});
    return pair.gradient("");
  };
  const auto expected = run(1, false);
  CHECK(run(1, true) == expected);
  CHECK(run(3, false) == expected);
}

TEST_CASE("relative losses: equal features have no error, features of 0 an error of 1") {
  const Values v({2, 4, 4, 5});
  Context context(1);
  Pair same(context, v.t, v.t, v.shape, DType::F32);
  same.session->forward();
  Pair none(context, std::vector<float>(v.t.size()), v.t, v.shape, DType::F32);
  none.session->forward();
  for (const char* term : {"feature", "gram"}) {
    CHECK(same.session->loss(term) == 0);
    CHECK(none.session->loss(term) == doctest::Approx(kLayerWeight));
  }
}
