#include "kernels/pad/pad.hpp"

#include "kernels/pad/pad_reference.hpp"
#include "tests/kernels/memory_ops_support.hpp"

using namespace chiaro;
using namespace chiaro::memory_ops;

namespace {

struct Case {
  Shape shape;
  Pad border;
};
const std::vector<Case> kCases = {
    {{1, 2, 2, 3}, Pad::uniform(1)},
    {{2, 7, 5, 3}, Pad::uniform(1)},
    {{1, 9, 8, 16}, Pad::uniform(4)},
    {{3, 5, 6, 5}, {0, 3, 2, 0}},
    {{2, 5, 7, 8}, {4, 4, 6, 6}},  // as wide as it can be: one less than the extent
    {{1, 6, 9, 70}, {1, 0, 0, 2}},
    {{1, 4, 4, 32}, {}},
    {{1, 1, 3, 5}, Pad::uniform(2, PadMode::Replicate)},
    {{2, 1, 1, 3}, {3, 1, 0, 2, PadMode::Replicate}},
    {{2, 6, 5, 65}, {1, 2, 3, 4, PadMode::Replicate}},
};

// Copies the interior of an outer tensor.
template <class T>
std::vector<double> interior(const Dense<T>& outer, const Shape& inner, const Pad& b) {
  std::vector<T> result(inner.count());
  pad::reference::crop_forward(outer.data(), result.data(), outer.shape, inner, b.top, b.left);
  return to_doubles(result);
}

}  // namespace

namespace chiaro::pad {

TEST_CASE_TEMPLATE("pad: fill equals the reference, apart and in place", T, float, bf16) {
  for (int threads : {1, 2}) {
    Context context(threads);
    for (const Case& k : kCases) {
      Dense<T> x(k.shape), y(k.border.outer(k.shape)), expected(y.shape), in_place(y.shape);
      x.fill_normal(1);
      forward(context, x, y, k.border);
      reference::forward(x.data(), expected.data(), k.shape, k.border);
      CHECK(y.same_bits(expected));
      crop_backward(context, x, in_place, GradientMode::Overwrite, k.border.top, k.border.left);
      fill_in_place(context, in_place, k.border);
      CHECK(in_place.same_bits(expected));
    }
  }
}

TEST_CASE_TEMPLATE("pad: gradients are exact on integers, in every mode and in place", T, float, bf16) {
  for (int threads : {1, 2}) {
    Context context(threads);
    for (const Case& k : kCases) {
      Dense<T> dy(k.border.outer(k.shape)), dx(k.shape);
      dy.fill_integers(2);
      std::vector<double> expected(k.shape.count());
      reference::backward(dy.doubles().data(), expected.data(), k.shape, k.border);
      backward(context, dy, dx, GradientMode::Overwrite, k.border);
      CHECK(dx.doubles() == expected);

      Dense<T> added(k.shape);
      added.fill_integers(3);
      auto sum = added.doubles();
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += expected[i];
      backward(context, dy, added, GradientMode::Accumulate, k.border);
      CHECK(added.doubles() == sum);

      backward(context, dy, added, GradientMode::Ignore, k.border);
      CHECK(added.doubles() == sum);

      fold_in_place(context, dy, k.border);
      CHECK(interior(dy, k.shape, k.border) == expected);
    }
  }
}

TEST_CASE("pad: gradients on random data") {
  Context context;
  const Case k = kCases[4];
  Dense<float> dy(k.border.outer(k.shape)), dx(k.shape);
  Dense<bf16> dy_half(dy.shape), dx_half(k.shape), plain(k.shape);
  dy.fill_normal(4);
  dy_half.fill_normal(4);
  std::vector<double> exact(k.shape.count()), exact_half(k.shape.count());
  reference::backward(dy.doubles().data(), exact.data(), k.shape, k.border);
  backward(context, dy, dx, GradientMode::Overwrite, k.border);
  CHECK(nmse(exact, dx.doubles()) <= fp32_bound(9));

  reference::backward(dy_half.doubles().data(), exact_half.data(), k.shape, k.border);
  reference::backward(dy_half.data(), plain.data(), k.shape, k.border);
  backward(context, dy_half, dx_half, GradientMode::Overwrite, k.border);
  CHECK(max_error(exact_half, dx_half.doubles()) <= bf16_bound(exact_half, plain.doubles()));
}

TEST_CASE("pad: the reference's gradient is the transpose of its fill") {
  for (const Case& k : kCases) {
    const Shape outer = k.border.outer(k.shape);
    auto x = random_doubles(k.shape.count(), 5);
    const auto dy = random_doubles(outer.count(), 6);
    std::vector<double> y(outer.count()), dx(k.shape.count());
    reference::forward(x.data(), y.data(), k.shape, k.border);
    reference::backward(dy.data(), dx.data(), k.shape, k.border);
    CHECK(dot(y, dy) == doctest::Approx(dot(x, dx)).epsilon(1e-12));
  }
}

TEST_CASE("pad: known rows") {
  Context context;
  Dense<float> x({1, 1, 3, 1}), y({1, 1, 7, 1});
  x.values[0] = 1, x.values[1] = 2, x.values[2] = 3;
  forward(context, x, y, {0, 0, 2, 2, PadMode::Reflect});
  CHECK(y.doubles() == std::vector<double>{3, 2, 1, 2, 3, 2, 1});
  forward(context, x, y, {0, 0, 2, 2, PadMode::Replicate});
  CHECK(y.doubles() == std::vector<double>{1, 1, 1, 2, 3, 3, 3});
}

TEST_CASE("pad: dtypes may differ") {
  Context context;
  const Pad b{1, 2, 2, 1};
  const Shape s{1, 4, 5, 3};
  Dense<bf16> x(s), back(s);
  Dense<float> y(b.outer(s));
  x.fill_integers(7);
  forward(context, x, y, b);
  std::vector<double> expected(y.count()), gradient(s.count());
  reference::forward(x.doubles().data(), expected.data(), s, b);
  CHECK(y.doubles() == expected);
  backward(context, y, back, GradientMode::Overwrite, b);
  reference::backward(expected.data(), gradient.data(), s, b);
  CHECK(back.doubles() == gradient);
}

TEST_CASE_TEMPLATE("pad: crop equals the reference in both directions", T, float, bf16) {
  Context context(2);
  for (const auto& [whole, part, row0, col0] :
       std::vector<std::tuple<Shape, Shape, int, int>>{{{2, 7, 6, 3}, {2, 4, 3, 3}, 1, 2},
                                                       {{1, 5, 5, 8}, {1, 5, 5, 8}, 0, 0},
                                                       {{3, 4, 9, 5}, {3, 1, 1, 5}, 3, 8}}) {
    Dense<T> x(whole), y(part), expected(part), dx(whole), expected_dx(whole);
    x.fill_normal(8);
    crop_forward(context, x, y, row0, col0);
    reference::crop_forward(x.data(), expected.data(), whole, part, row0, col0);
    CHECK(y.same_bits(expected));
    crop_backward(context, y, dx, GradientMode::Overwrite, row0, col0);
    reference::crop_backward(y.data(), expected_dx.data(), whole, part, row0, col0);
    CHECK(dx.same_bits(expected_dx));
    crop_backward(context, y, dx, GradientMode::Accumulate, row0, col0);
    auto doubled = expected_dx.doubles();
    for (double& v : doubled) v *= 2;
    CHECK(dx.doubles() == doubled);
  }
}

TEST_CASE("pad: wrong arguments are named") {
  Context context;
  Dense<float> x({1, 4, 4, 3}), y({1, 12, 12, 3}), wrong({1, 5, 6, 3});
  CHECK(contains(
      error_of([&] { forward(context, x, y, Pad::uniform(4)); }),
      "a reflected border of 4,4,4,4 (top, bottom, left, right) needs a larger picture than (1,4,4,3)"));
  CHECK(contains(error_of([&] { forward(context, x, wrong, Pad::uniform(1)); }),
                 "pad forward: y has shape (1,5,6,3), expected (1,6,6,3)"));
  CHECK(contains(error_of([&] { forward(context, x, y, {-1, 0, 0, 0}); }), "negative border -1,0,0,0"));
  CHECK(contains(error_of([&] { fill_in_place(context, x, Pad::uniform(2)); }), "has no interior"));
  CHECK(
      contains(error_of([&] { crop_forward(context, x, wrong, 0, 0); }), "does not lie within x (1,4,4,3)"));
  CHECK(contains(error_of([&] { forward(context, {}, y, Pad::uniform(4)); }), "pad forward: x is missing"));
}

}  // namespace chiaro::pad
