#include "kernels/gram/gram.hpp"
#include "kernels/gram/gram_reference.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

namespace {

template <class T>
std::vector<float> run_forward(const std::vector<T>& f, Shape s, float scale) {
  return run_with_any_threads([&](Context& context) {
    std::vector<float> g(s.n * s.c * s.c, NAN);
    std::vector<char> workspace(gram::forward_workspace_bytes(context, s));
    gram::forward(context, view(f, s), g.data(), scale, workspace.data());
    return g;
  });
}

template <class T>
std::vector<T> run_backward(const std::vector<T>& f, Shape s, const std::vector<float>& dg, float scale,
                            const std::vector<T>& before, GradientMode mode) {
  return run_with_any_threads([&](Context& context) {
    auto df = before;
    std::vector<char> workspace(gram::backward_workspace_bytes(context, s, dtype_of<T>));
    gram::backward(context, view(f, s), dg.data(), scale, view(df, s), mode, workspace.data());
    return df;
  });
}

void make_symmetric(std::vector<float>& g, Shape s) {
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t i = 0; i < s.c; ++i)
      for (std::int64_t j = 0; j < i; ++j) g[(n * s.c + i) * s.c + j] = g[(n * s.c + j) * s.c + i];
}

const Shape kShapes[] = {{2, 5, 7, 3}, {1, 40, 41, 65}, {2, 16, 9, 64}, {1, 37, 60, 130}, {3, 1, 1, 17}};

template <class T>
void check_exact(Shape s) {
  CAPTURE(to_string(s));
  const auto f = integer_values<T>(s.count(), 1, -3, 3), before = integer_values<T>(s.count(), 2);
  std::vector<double> g(s.n * s.c * s.c);
  gram::reference::forward(convert<double>(f).data(), s, g.data(), 1.0);
  CHECK(convert<double>(run_forward(f, s, 1.f)) == g);

  auto dg = integer_values<float>(s.n * s.c * s.c, 3, -3, 3);
  make_symmetric(dg, s);
  for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
    auto df = convert<double>(before);
    gram::reference::backward(convert<double>(f).data(), s, convert<double>(dg).data(), 1.0, df.data(),
                              mode == GradientMode::Accumulate);
    CHECK(same_bits(run_backward(f, s, dg, 1.f, before, mode), convert<T>(convert<float>(df))));
  }
}

template <class T>
void check_random(Shape s) {
  const auto f = random_values<T>(s.count(), 1), before = random_values<T>(s.count(), 2);
  const float scale = 1.f / static_cast<float>(s.pixels() * s.c);
  std::vector<double> g(s.n * s.c * s.c);
  gram::reference::forward(convert<double>(f).data(), s, g.data(), double(scale));
  const auto found = run_forward(f, s, scale);
  // Four times the usual bound: without oneDNN, plain sums of squares, all of one sign, drift by that much.
  CHECK(nmse(g, found) <= 4e-15 * double(std::max<std::int64_t>(s.pixels(), 100)));
  auto mirrored = found;
  make_symmetric(mirrored, s);
  CHECK(same_bits(found, mirrored));

  auto dg = random_values<float>(s.n * s.c * s.c, 3);
  make_symmetric(dg, s);
  auto df = convert<double>(before);
  auto reference = before;
  gram::reference::backward(convert<double>(f).data(), s, convert<double>(dg).data(), 0.5, df.data(), true);
  gram::reference::backward(f.data(), s, dg.data(), 0.5f, reference.data(), true);
  check_close(df, run_backward(f, s, dg, 0.5f, before, GradientMode::Accumulate), reference, s.c);
}

}  // namespace

TEST_CASE("gram: forward and backward are exact on integers") {
  for (const Shape s : kShapes) {
    check_exact<float>(s);
    check_exact<bf16>(s);
  }
}

TEST_CASE("gram: random features match the reference, exactly symmetric") {
  check_random<float>({2, 50, 50, 33});
  check_random<bf16>({2, 50, 50, 33});
}

TEST_CASE("gram: reference gradient matches finite differences") {
  const Shape s = {2, 3, 4, 3};
  const auto f = convert<double>(random_values<float>(s.count(), 1));
  auto symmetric = random_values<float>(s.n * s.c * s.c, 2);
  make_symmetric(symmetric, s);
  const auto dg = convert<double>(symmetric);
  std::vector<double> df(f.size()), g(dg.size());
  gram::reference::backward(f.data(), s, dg.data(), 0.3, df.data(), false);
  check_gradient(f, df, [&](const std::vector<double>& at) {
    gram::reference::forward(at.data(), s, g.data(), 0.3);
    return dot(g, dg);
  });
}

TEST_CASE("gram: wrong arguments are refused") {
  Context context(1);
  const Shape s = {1, 2, 2, 3};
  std::vector<float> f(12), g(9);
  std::vector<bf16> df(12);
  CHECK(error_of([&] { gram::forward(context, view(f, s), g.data(), 1, nullptr); }) ==
        "gram: a workspace of 36 bytes is needed");
  CHECK(error_of([&] {
          gram::backward(context, view(f, s), g.data(), 1, view(df, s), GradientMode::Overwrite, nullptr);
        }) == "gram: df is bf16 (1,2,2,3), expected fp32 (1,2,2,3) as f");
}

}  // namespace chiaro
