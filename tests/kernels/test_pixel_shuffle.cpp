#include "kernels/pixel_shuffle/pixel_shuffle.hpp"

#include "kernels/elementwise/elementwise.hpp"
#include "kernels/pixel_shuffle/pixel_shuffle_reference.hpp"
#include "tests/kernels/memory_ops_support.hpp"

namespace chiaro::pixel_shuffle {

using namespace chiaro::memory_ops;

namespace {

// Four tensors of their own shapes with windows at odd places, for y of (n, 2h, 2w, c).
template <class T>
struct Phases {
  std::vector<Dense<T>> tensors;
  std::array<std::int64_t, 4> row0{0, 1, 2, 0}, col0{3, 0, 1, 0}, channel0{0, 2, 0, 5};

  Phases(const Shape& y, unsigned seed) {
    for (int k = 0; k < 4; ++k) {
      tensors.emplace_back(
          Shape{y.n, y.h / 2 + row0[k] + k % 2, y.w / 2 + col0[k] + k / 2, y.c + channel0[k] + (k == 2)});
      tensors.back().fill_integers(seed + k);
    }
  }
  template <class Result>
  Result window(int k) {
    return {tensors[k], row0[k], col0[k], channel0[k]};
  }
  template <class Result>
  std::array<Result, 4> windows() {
    return {window<Result>(0), window<Result>(1), window<Result>(2), window<Result>(3)};
  }
};

const std::vector<Shape> kShapes = {
    {1, 2, 2, 3}, {2, 6, 10, 5}, {3, 14, 6, 8}, {1, 10, 18, 32}, {2, 4, 6, 67}};

}  // namespace

TEST_CASE_TEMPLATE("pixel_shuffle: exact on integers, with and without sum and ReLU", T, float, bf16) {
  for (int threads : {1, 2}) {
    Context context(threads);
    for (const Shape& s : kShapes)
      for (bool with_add : {false, true})
        for (bool relu : {false, true}) {
          Phases<T> phases(s, 1);
          Dense<T> add(s), y(s);
          add.fill_integers(9);
          ForwardArgs args{.sources = phases.template windows<Source>(), .y = y, .relu = relu};
          if (with_add) args.add = add;
          forward(context, args);

          std::vector<std::vector<double>> sources;
          std::array<reference::Phase<const double*>, 4> plain;
          for (int k = 0; k < 4; ++k) sources.push_back(phases.tensors[k].doubles());
          for (int k = 0; k < 4; ++k)
            plain[k] = {sources[k].data(), phases.tensors[k].shape, phases.row0[k], phases.col0[k],
                        phases.channel0[k]};
          std::vector<double> expected(s.count());
          const auto addend = add.doubles();
          reference::forward(plain, with_add ? addend.data() : nullptr, expected.data(), s, relu);
          CHECK(y.doubles() == expected);

          if (!with_add) continue;
          args.y = add;  // in place of the addend
          forward(context, args);
          CHECK(add.doubles() == expected);
        }
  }
}

TEST_CASE_TEMPLATE("pixel_shuffle: backward writes the windows, and zeroes the rest if asked", T, float,
                   bf16) {
  for (int threads : {1, 2}) {
    Context context(threads);
    for (const Shape& s : kShapes)
      for (bool zero_rest : {false, true}) {
        Dense<T> dy(s);
        dy.fill_normal(2);
        Phases<T> got(s, 3), expected(s, 3);
        backward(context, {.dy = dy, .targets = got.template windows<Target>(), .zero_rest = zero_rest});
        std::array<reference::Phase<T*>, 4> plain;
        for (int k = 0; k < 4; ++k) {
          auto& t = expected.tensors[k];
          if (zero_rest) std::fill_n(t.data(), t.count(), T(0.0f));
          plain[k] = {t.data(), t.shape, expected.row0[k], expected.col0[k], expected.channel0[k]};
        }
        reference::backward(dy.data(), plain, s);
        for (int k = 0; k < 4; ++k) CHECK(got.tensors[k].same_bits(expected.tensors[k]));
      }
  }
}

TEST_CASE_TEMPLATE("pixel_shuffle: backward through ReLU and sum equals the ops it replaces", T, float,
                   bf16) {
  for (int threads : {1, 2}) {
    Context context(threads);
    for (const Shape& s : kShapes)
      for (bool relu : {false, true})
        for (const auto mode : {GradientMode::Ignore, GradientMode::Overwrite, GradientMode::Accumulate}) {
          Dense<T> y(s), dy(s), masked(s), dadd(s), expected_dadd(s);
          y.fill_normal(1);
          y.data()[1] = T(0.0f);
          y.data()[2] = T(std::nanf(""));
          dy.fill_normal(2);
          masked.fill_normal(2);
          dadd.fill_normal(3);
          expected_dadd.fill_normal(3);
          Phases<T> got(s, 4), expected(s, 4);
          BackwardArgs args{.dy = dy, .targets = got.template windows<Target>(), .dadd_mode = mode};
          if (relu) args.y = y;
          if (mode != GradientMode::Ignore) args.dadd = dadd;
          backward(context, args);

          if (relu) relu_backward(context, y, masked, masked, GradientMode::Overwrite);
          copy(context, masked, expected_dadd, mode);
          backward(context, {.dy = masked, .targets = expected.template windows<Target>()});
          CHECK(dadd.same_bits(expected_dadd));
          for (int k = 0; k < 4; ++k) CHECK(got.tensors[k].same_bits(expected.tensors[k]));
        }
  }
}

TEST_CASE("pixel_shuffle: four phases of one tensor, and the transpose property") {
  Context context;
  const std::int64_t c = 3;
  const Shape s{2, 8, 6, c};
  Dense<float> t({2, 5, 4, 4 * c}), y(s), dy(s), dt(t.shape);
  t.fill_integers(4);
  dy.fill_integers(5);
  std::array<Source, 4> sources;
  std::array<Target, 4> targets;
  for (int k = 0; k < 4; ++k) {
    sources[k] = {t, k / 2, k % 2, k * c};
    targets[k] = {dt, k / 2, k % 2, k * c};
  }
  forward(context, {.sources = sources, .y = y});
  backward(context, {.dy = dy, .targets = targets, .zero_rest = true});
  CHECK(dot(y.doubles(), dy.doubles()) == dot(t.doubles(), dt.doubles()));
  CHECK(nmse(y.doubles(), dy.doubles()) > 0.1);
}

TEST_CASE("pixel_shuffle: wrong arguments are named") {
  Context context;
  Dense<float> t({1, 2, 2, 3}), y({1, 4, 4, 3}), odd({1, 3, 4, 3});
  Dense<bf16> half({1, 2, 2, 3});
  const std::array<Source, 4> good{Source{t}, Source{t}, Source{t}, Source{t}};
  CHECK(error_of([&] { forward(context, {.sources = good, .y = y}); }).empty());
  CHECK(contains(error_of([&] { forward(context, {.sources = good, .y = odd}); }),
                 "y has shape (1,3,4,3), expected an even height and width"));
  auto bad = good;
  bad[2].row0 = 1;
  CHECK(error_of([&] { forward(context, {.sources = bad, .y = y}); }) ==
        "pixel_shuffle forward: phase 2 needs a window (1,2,2,3) at row 1, column 0, channel 0 of a tensor "
        "(1,2,2,3)");
  bad = good;
  bad[1].t = half;
  CHECK(contains(error_of([&] { forward(context, {.sources = bad, .y = y}); }),
                 "the tensor of phase 1 is bf16, expected fp32"));
  bad[1].t = {};
  CHECK(contains(error_of([&] { forward(context, {.sources = bad, .y = y}); }),
                 "the tensor of phase 1 is missing"));
  CHECK(contains(error_of([&] { forward(context, {.sources = good, .add = t, .y = y}); }),
                 "add has shape (1,2,2,3)"));
  BackwardArgs args{.dy = y, .targets = {Target{t}, Target{t}, Target{t}, Target{t}}, .y = t};
  CHECK(error_of([&] { backward(context, args); }) ==
        "pixel_shuffle backward: y has shape (1,2,2,3), expected (1,4,4,3)");
  args.y = {};
  args.dadd_mode = GradientMode::Accumulate;
  CHECK(error_of([&] { backward(context, args); }) == "pixel_shuffle backward: dadd is missing");
  args.dadd = y;
  CHECK(error_of([&] { backward(context, args); }) ==
        "pixel_shuffle backward: dadd is dy, but dadd is to be added to");
}

}  // namespace chiaro::pixel_shuffle
