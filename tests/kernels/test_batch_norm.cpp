#include "kernels/norm/batch_norm.hpp"
#include "kernels/norm/batch_norm_reference.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

namespace {

struct Statistics {
  std::vector<float> scale, offset, mean, variance;
  explicit Statistics(std::int64_t c)
      : scale(random_values<float>(c, 11)),
        offset(random_values<float>(c, 12)),
        mean(random_values<float>(c, 13)),
        variance(random_values<float>(c, 14, 0.1, 2)) {}
  batch_norm::Parameters parameters(bool relu) const {
    return {scale.data(), offset.data(), mean.data(), variance.data(), 1e-3f, relu};
  }
};

template <class T>
void check_op(Shape s, bool relu) {
  CAPTURE(to_string(s));
  const Statistics statistics(s.c);
  const auto p = statistics.parameters(relu);
  const auto x = random_values<T>(s.count(), 1), dy = random_values<T>(s.count(), 2);
  std::vector<double> y(x.size());
  auto y_reference = x, dx_reference = x;
  batch_norm::reference::forward(convert<double>(x).data(), s, p, y.data());
  batch_norm::reference::forward(x.data(), s, p, y_reference.data());
  const auto found = run_with_any_threads([&](Context& context) {
    std::vector<T> result(x.size());
    batch_norm::forward(context, view(x, s), p, view(result, s));
    return result;
  });
  check_close(y, found, y_reference, 1);
  for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
    const bool accumulate = mode == GradientMode::Accumulate;
    auto dx = convert<double>(x);
    dx_reference = x;
    batch_norm::reference::backward(convert<double>(found).data(), convert<double>(dy).data(), s, p,
                                    dx.data(), accumulate);
    batch_norm::reference::backward(found.data(), dy.data(), s, p, dx_reference.data(), accumulate);
    const auto gradient = run_with_any_threads([&](Context& context) {
      auto result = x;
      const ConstTensorView output = relu ? view(found, s) : ConstTensorView{};
      batch_norm::backward(context, output, view(dy, s), p, view(result, s), mode);
      return result;
    });
    check_close(dx, gradient, dx_reference, 1);
  }
}

}  // namespace

TEST_CASE("batch_norm: forward and backward match the reference") {
  for (const Shape s : {Shape{2, 9, 31, 3}, Shape{1, 20, 20, 65}, Shape{2, 8, 8, 320}})
    for (const bool relu : {false, true}) {
      check_op<float>(s, relu);
      check_op<bf16>(s, relu);
    }
}

TEST_CASE("batch_norm: reference gradient matches finite differences") {
  const Shape s = {2, 3, 2, 5};
  const Statistics statistics(s.c);
  for (const bool relu : {false, true}) {
    const auto p = statistics.parameters(relu);
    const auto x = convert<double>(random_values<float>(s.count(), 1));
    const auto dy = convert<double>(random_values<float>(s.count(), 2));
    std::vector<double> y(x.size()), dx(x.size());
    batch_norm::reference::forward(x.data(), s, p, y.data());
    batch_norm::reference::backward(y.data(), dy.data(), s, p, dx.data(), false);
    check_gradient(x, dx, [&](const std::vector<double>& at) {
      batch_norm::reference::forward(at.data(), s, p, y.data());
      return dot(y, dy);
    });
  }
}

TEST_CASE("batch_norm: a folded 1x1 convolution equals convolution and normalization") {
  constexpr std::int64_t K = 5, C = 7;
  const Statistics s(K);
  const auto w = random_values<float>(K * C, 1), bias = random_values<float>(K, 2),
             x = random_values<float>(C, 3);
  for (const float* b : {bias.data(), static_cast<const float*>(nullptr)}) {
    std::vector<float> w_out(K * C), b_out(K);
    batch_norm::fold(w.data(), b, K, C, s.scale.data(), s.offset.data(), s.mean.data(), s.variance.data(),
                     1e-3f, w_out.data(), b_out.data());
    for (std::int64_t k = 0; k < K; ++k) {
      double before = b ? b[k] : 0, after = b_out[k];
      for (std::int64_t c = 0; c < C; ++c) {
        before += double(w[k * C + c]) * x[c];
        after += double(w_out[k * C + c]) * x[c];
      }
      before = s.scale[k] * (before - s.mean[k]) / std::sqrt(s.variance[k] + double(1e-3f)) + s.offset[k];
      CHECK(after == doctest::Approx(before).epsilon(1e-6));
    }
  }
}

TEST_CASE("batch_norm: wrong arguments are refused") {
  Context context(1);
  const Statistics statistics(3);
  std::vector<float> x(12), y(6);
  CHECK(error_of([&] {
          batch_norm::forward(context, view(x, {1, 2, 2, 3}), {}, view(x, {1, 2, 2, 3}));
        }) == "batch_norm: scale, offset, mean and variance must all be given");
  CHECK(error_of([&] {
          batch_norm::forward(context, view(x, {1, 2, 2, 3}), statistics.parameters(false),
                              view(y, {1, 1, 2, 3}));
        }) == "batch_norm: y has shape (1,1,2,3), expected (1,2,2,3) as x");
}

}  // namespace chiaro
