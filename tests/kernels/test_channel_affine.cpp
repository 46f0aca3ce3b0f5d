#include "kernels/channel_affine/channel_affine.hpp"
#include "kernels/channel_affine/channel_affine_reference.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

namespace {

template <class X, class Y>
void check_op(Shape s) {
  CAPTURE(to_string(s));
  const auto x = random_values<X>(s.count(), 1, 0, 255);
  const auto mean = random_values<float>(s.c, 2, 100, 130), scale = random_values<float>(s.c, 3, 0.5, 2);
  const auto exact_mean = convert<double>(mean), exact_scale = convert<double>(scale);
  std::vector<double> y(x.size());
  channel_affine::reference::forward(convert<double>(x).data(), s, exact_mean.data(), exact_scale.data(),
                                     y.data());
  const auto found = run_with_any_threads([&](Context& context) {
    std::vector<Y> result(x.size());
    channel_affine::forward(context, view(x, s), mean.data(), scale.data(), view(result, s));
    return result;
  });
  check_close(y, found, convert<Y>(convert<float>(y)), 1);
  for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
    auto dx = convert<double>(x);
    channel_affine::reference::backward(convert<double>(found).data(), s, exact_scale.data(), dx.data(),
                                        mode == GradientMode::Accumulate);
    const auto gradient = run_with_any_threads([&](Context& context) {
      auto result = x;
      channel_affine::backward(context, view(found, s), scale.data(), view(result, s), mode);
      return result;
    });
    check_close(dx, gradient, convert<X>(convert<float>(dx)), 1);
  }
}

}  // namespace

TEST_CASE("channel_affine: forward and backward match the reference in every mixture of types") {
  for (const Shape s : {Shape{2, 83, 101, 3}, Shape{1, 9, 9, 65}, Shape{2, 3, 5, 512}}) {
    check_op<float, float>(s);
    check_op<float, bf16>(s);
    check_op<bf16, float>(s);
    check_op<bf16, bf16>(s);
  }
}

TEST_CASE("channel_affine: reference gradient matches finite differences") {
  const Shape s = {2, 2, 3, 3};
  const auto x = convert<double>(random_values<float>(s.count(), 1)),
             dy = convert<double>(random_values<float>(s.count(), 2));
  const std::vector<double> mean = {1, 2, 3}, scale = {0.5, -2, 3};
  std::vector<double> y(x.size()), dx(x.size());
  channel_affine::reference::backward(dy.data(), s, scale.data(), dx.data(), false);
  check_gradient(x, dx, [&](const std::vector<double>& at) {
    channel_affine::reference::forward(at.data(), s, mean.data(), scale.data(), y.data());
    return dot(y, dy);
  });
}

TEST_CASE("channel_affine: wrong arguments are refused") {
  Context context(1);
  std::vector<float> x(12), y(6);
  CHECK(error_of([&] {
          channel_affine::forward(context, view(x, {1, 2, 2, 3}), x.data(), x.data(), view(y, {1, 1, 2, 3}));
        }) == "channel_affine: y has shape (1,1,2,3), expected (1,2,2,3) as x");
  CHECK(error_of([&] {
          channel_affine::forward(context, view(x, {1, 2, 2, 3}), nullptr, x.data(), view(x, {1, 2, 2, 3}));
        }) == "channel_affine: mean and scale must both be given");
}

}  // namespace chiaro
