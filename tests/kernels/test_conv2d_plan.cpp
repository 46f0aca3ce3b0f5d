// The plan's choices and its complaints.
#include <doctest/doctest.h>

#include "tests/kernels/test_conv2d_harness.hpp"

using namespace chiaro;
using namespace chiaro::conv2d;
using namespace chiaro::conv2d::test;

namespace {

const Problem kProblem{.x = {2, 6, 5, 3}, .k = 4, .r = 3, .s = 3, .stride = 1, .pad = {}};

std::string error_of_make(const Problem& p) {
  Context context(1);
  try {
    (void)Plan::make(context, p);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("conv2d: the output shape rounds down") {
  Problem p{.x = {1, 10, 11, 1}, .k = 5, .r = 3, .s = 3, .stride = 2, .pad = {}};
  CHECK(p.y() == Shape{1, 4, 5, 5});
  p.pad = {1, 1, 1, 0};
  CHECK(p.y() == Shape{1, 5, 5, 5});
}

TEST_CASE("conv2d: impossible problems are refused with a reason") {
  Problem p = kProblem;
  p.k = 0;
  CHECK(error_of_make(p) ==
        "conv2d 3x3 x=(2,6,5,3) k=0 stride=1 fp32: extents, channels and stride must be positive");
  p = kProblem;
  p.pad.left = -1;
  CHECK(error_of_make(p) ==
        "conv2d 3x3 x=(2,6,5,3) k=4 stride=1 pad=0,0,-1,0 fp32: padding must not be negative");
  p = kProblem;
  p.r = 7;
  CHECK(error_of_make(p) ==
        "conv2d 7x3 x=(2,6,5,3) k=4 stride=1 fp32: the filter is larger than the padded picture");
  p = kProblem;
  p.y_dtype = DType::BF16;
  CHECK(error_of_make(p) ==
        "conv2d 3x3 x=(2,6,5,3) k=4 stride=1 fp32->bf16: y is bf16, expected fp32 as x is fp32");
}

TEST_CASE("conv2d: arguments that do not fit the problem are named") {
  Context context(1);
  const auto plan = Plan::make(context, kProblem);
  std::vector<float> x(180), y(96), w(108);
  Bytes packed(plan->packed_bytes(Pass::Forward)), space(plan->workspace_bytes(Pass::BackwardData) + 64);
  const ConstTensorView x_view{x.data(), DType::F32, kProblem.x};
  const TensorView y_view{y.data(), DType::F32, kProblem.y()};
  const auto forward = [&](ConstTensorView a, const void* weights, const float* bias, TensorView b) {
    plan->forward(context, a, weights, bias, b, space.get());
  };
  CHECK_THROWS_WITH_AS(
      forward({x.data(), DType::F32, {2, 5, 6, 3}}, packed.get(), nullptr, y_view),
      "conv2d forward 3x3 x=(2,6,5,3) k=4 stride=1 fp32: x has shape (2,5,6,3), expected (2,6,5,3)", Error);
  CHECK_THROWS_WITH_AS(forward(x_view, packed.get(), nullptr, {y.data(), DType::BF16, kProblem.y()}),
                       "conv2d forward 3x3 x=(2,6,5,3) k=4 stride=1 fp32: y is bf16, expected fp32", Error);
  CHECK_THROWS_WITH_AS(forward(x_view, nullptr, nullptr, y_view),
                       "conv2d forward 3x3 x=(2,6,5,3) k=4 stride=1 fp32: packed is null", Error);
  CHECK_THROWS_WITH_AS(
      forward(x_view, packed.get(), w.data(), y_view),
      "conv2d forward 3x3 x=(2,6,5,3) k=4 stride=1 fp32: bias is given, but the problem has none", Error);
  CHECK_THROWS_WITH_AS(
      plan->backward_weights(context, x_view, {}, w.data(), nullptr, GradientMode::Overwrite, space.get()),
      "conv2d backward_weights 3x3 x=(2,6,5,3) k=4 stride=1 fp32: dy is null", Error);
  CHECK_THROWS_WITH_AS((void)plan->packed_bytes(Pass::BackwardWeights),
                       "conv2d: the weight gradient reads no packed weights", Error);
}

TEST_CASE("conv2d: an implementation can be forced, an unknown one is refused") {
  Context context(1);
  {
    const ForcedImplementation force("conv2d:reference");
    CHECK(Plan::make(context, kProblem)->implementation() == "reference");
  }
  const ForcedImplementation force("conv2d:fft");
  CHECK(
      error_of_make(kProblem) ==
      "CHIARO_IMPL=conv2d:fft: no such implementation here, expected one of: columns, flipped, winograd, onednn, "
      "widened, direct, reference");
}

TEST_CASE("conv2d: a forced implementation that declines says why") {
  const ForcedImplementation force("conv2d:columns");
  Problem p = kProblem;
  p.x.c = p.k = 16;
  const std::string text = error_of_make(p);
  CHECK(text.find("no implementation can do this (one is forced by CHIARO_IMPL): columns: ") !=
        std::string::npos);
}

TEST_CASE("conv2d: equal packed keys mean interchangeable weights") {
  Context context(1);
  Problem small = kProblem, large = kProblem;
  small.x.c = large.x.c = 16;
  small.k = large.k = 32;
  large.x.h = large.x.w = 40;
  const auto a = Plan::make(context, small), b = Plan::make(context, large);
  for (const Pass pass : {Pass::Forward, Pass::BackwardData}) {
    if (a->packed_key(pass) != b->packed_key(pass)) continue;
    REQUIRE(a->packed_bytes(pass) == b->packed_bytes(pass));
    const Values values = normals(small.weight_count(), 1);
    Bytes w = to_bytes(values, DType::F32), pa(a->packed_bytes(pass)), pb(b->packed_bytes(pass));
    a->pack(context, pass, static_cast<float*>(w.get()), pa.get());
    b->pack(context, pass, static_cast<float*>(w.get()), pb.get());
    CHECK(std::equal(static_cast<char*>(pa.get()), static_cast<char*>(pa.get()) + a->packed_bytes(pass),
                     static_cast<char*>(pb.get())));
  }
  Problem wider = small;
  wider.k = 48;
  CHECK(Plan::make(context, wider)->packed_key(Pass::Forward) != a->packed_key(Pass::Forward));
}
