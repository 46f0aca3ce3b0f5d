// Convolution by our own kernels: every pass, all types, against plain loops in double.
#include "kernels/conv2d/conv2d_reference.hpp"
#include "kernels/conv2d/implicit_gemm_cuda.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

namespace {

using conv2d::Problem;

// Channels, filters and pixels that fill no tile, and vectors and single elements on each side; small enough
// to run under every schedule.
const std::vector<Problem> kProblems = {
    {.x = {1, 12, 11, 3}, .k = 8, .r = 9, .s = 9},
    {.x = {1, 11, 10, 3}, .k = 5, .r = 7, .s = 7, .stride = 2, .pad = {3, 3, 3, 3}},
    {.x = {1, 10, 9, 8}, .k = 3, .r = 9, .s = 9, .pad = {1, 0, 2, 0}},
    {.x = {2, 7, 8, 8}, .k = 8, .r = 3, .s = 3, .stride = 2, .pad = {1, 0, 1, 0}},
    {.x = {2, 5, 6, 5}, .k = 66, .r = 2, .s = 3, .stride = 2, .pad = {1, 0, 0, 2}},
    {.x = {1, 3, 5, 72}, .k = 24, .r = 1, .s = 1},
    {.x = {1, 4, 5, 4}, .k = 4, .r = 2, .s = 2, .stride = 3, .pad = {2, 2, 3, 2}},
    {.x = {1, 15, 18, 8}, .k = 16, .r = 3, .s = 3, .pad = {1, 1, 1, 1}},
};

// Sums may be taken over several splits of the pixels.
const Problem kSplit = kProblems.back();

template <class X, class Y>
Problem typed(Problem p) {
  p.dtype = dtype_of<X>, p.y_dtype = dtype_of<Y>;
  return p;
}

// The arrays of one problem, and what the plain loops make of them in double.
template <class X, class Y>
struct Case {
  Problem p;
  std::vector<X> x, old_dx;
  std::vector<Y> dy, old_y;
  std::vector<float> w, bias, old_dw;

  Case(const Problem& problem, bool integers)
      : p(typed<X, Y>(problem)),
        x(values<X>(p.x.count(), 1, integers)),
        old_dx(values<X>(p.x.count(), 2, integers)),
        dy(values<Y>(p.y().count(), 3, integers)),
        old_y(values<Y>(p.y().count(), 4, integers)),
        w(convert<float>(values<X>(p.weight_count(), 5, integers))),
        bias(values<float>(p.k, 6, integers)),
        old_dw(values<float>(p.weight_count(), 7, integers)) {}

  template <class T>
  static std::vector<T> values(std::int64_t count, unsigned seed, bool integers) {
    return integers ? integer_values<T>(count, seed, -2, 2) : normal_values<T>(count, seed);
  }

  // In the arithmetic of W and Z (double, double: exact; X, Y: the plain loops at that precision).
  template <class W, class Z>
  std::vector<Z> plain_y() const {
    auto y = convert<Z>(old_y);
    const auto b = convert<conv2d::reference::Sum<W>>(bias);
    conv2d::reference::forward(p, convert<W>(x).data(), convert<W>(w).data(), p.bias ? b.data() : nullptr,
                               y.data());
    return y;
  }
  template <class W, class Z>
  std::vector<W> plain_dx(bool accumulate) const {
    auto dx = convert<W>(old_dx);
    conv2d::reference::backward_data(p, convert<Z>(dy).data(), convert<W>(w).data(), dx.data(), accumulate);
    return dx;
  }
  std::vector<double> exact_dw(bool accumulate) const {
    auto dw = convert<double>(old_dw);
    conv2d::reference::backward_weights(p, convert<double>(x).data(), convert<double>(dy).data(), dw.data(),
                                        static_cast<double*>(nullptr), accumulate);
    return dw;
  }

  // `offset` elements in front of every array: unaligned arrays.
  std::vector<Y> run_y(Bits& bits, std::int64_t offset = 0) const {
    DeviceArray<X> source(x, offset);
    DeviceArray<float> weights(w, offset), b(bias, offset);
    DeviceArray<Y> y(old_y, offset);
    conv2d::cuda::implicit_gemm_forward(nullptr, p, source.data(), weights.data(),
                                        p.bias ? b.data() : nullptr, y.data());
    bits << y;
    return y.host();
  }
  std::vector<X> run_dx(Bits& bits, bool accumulate, std::int64_t offset = 0) const {
    DeviceArray<Y> gradient(dy, offset);
    DeviceArray<float> weights(w), turned(p.weight_count(), offset);
    DeviceArray<X> dx(old_dx, offset);
    conv2d::cuda::turn_filters(nullptr, p, weights.data(), turned.data());
    conv2d::cuda::implicit_gemm_backward_data(nullptr, p, gradient.data(), turned.data(), dx.data(),
                                              accumulate);
    bits << dx;
    return dx.host();
  }
  std::vector<float> run_dw(Bits& bits, bool accumulate, std::int64_t offset = 0) const {
    DeviceArray<X> source(x, offset);
    DeviceArray<Y> gradient(dy, offset);
    DeviceArray<float> dw(old_dw, offset), workspace(conv2d::cuda::backward_weights_workspace_bytes(p) / 4);
    conv2d::cuda::implicit_gemm_backward_weights(nullptr, p, source.data(), gradient.data(), dw.data(),
                                                 accumulate, workspace.data());
    bits << dw;
    return dw.host();
  }
};

template <class X, class Y>
void check_integers(const Problem& problem, std::int64_t offset) {
  Case<X, Y> c(problem, true);
  INFO(to_string(c.p), ", offset ", offset);
  for (const bool accumulate : {false, true}) {
    const auto dx = convert<X>(c.template plain_dx<double, double>(accumulate));
    const auto dw = convert<float>(c.exact_dw(accumulate));
    check_every_schedule([&] {
      Bits bits;
      CHECK(same_bits(c.run_dx(bits, accumulate, offset), dx));
      CHECK(same_bits(c.run_dw(bits, accumulate, offset), dw));
      return bits;
    });
  }
  for (int what = 0; what < 8; ++what) {
    c.p.bias = what & 1, c.p.relu = what & 2, c.p.accumulate = what & 4;
    Bits bits;
    CHECK(same_bits(c.run_y(bits, offset), convert<Y>(c.template plain_y<double, double>())));
  }
  check_every_schedule([&] {
    Bits bits;
    c.run_y(bits, offset);
    return bits;
  });
}

}  // namespace

TEST_CASE("conv2d cuda: all passes, integers exactly, fp32, bf16, and bf16 with fp32 y") {
  for (const Problem& p : kProblems) {
    check_integers<float, float>(p, 0);
    check_integers<bf16, bf16>(p, 0);
    check_integers<bf16, float>(p, 0);
  }
}

TEST_CASE("conv2d cuda: arrays that are not aligned are read and written by single elements") {
  const Problem p{.x = {1, 6, 7, 8}, .k = 8, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};
  check_integers<float, float>(p, 1);
  check_integers<bf16, bf16>(p, 1);
  check_integers<bf16, float>(p, 3);
}

TEST_CASE("conv2d cuda: random values") {
  for (const Problem& p : {kSplit, kProblems[1]}) {
    INFO(to_string(p));
    Bits bits;
    Case<float, float> c(p, false);
    c.p.bias = true;
    check_close(c.plain_y<double, double>(), c.run_y(bits), c.plain_y<float, float>(), p.r * p.s * p.x.c);
    check_close(c.plain_dx<double, double>(true), c.run_dx(bits, true), c.plain_dx<float, float>(true),
                p.r * p.s * p.k);
    check_close(c.exact_dw(true), c.run_dw(bits, true), {}, p.y().n * p.y().pixels());
    Case<bf16, bf16> h(p, false);
    h.p.bias = true;
    check_close(h.plain_y<double, double>(), h.run_y(bits), h.plain_y<bf16, bf16>(), p.r * p.s * p.x.c);
    check_close(h.plain_dx<double, double>(true), h.run_dx(bits, true), h.plain_dx<bf16, bf16>(true),
                p.r * p.s * p.k);
    check_close(h.exact_dw(true), h.run_dw(bits, true), {}, p.y().n * p.y().pixels());
  }
}

TEST_CASE("conv2d cuda: turned filters, rounded as the problem's type asks") {
  const Problem p{.x = {1, 5, 5, 3}, .k = 4, .r = 2, .s = 3};
  const auto w = normal_values<float>(p.weight_count(), 1);
  for (const bool rounds : {false, true}) {
    const Problem q = rounds ? typed<bf16, float>(p) : p;
    DeviceArray<float> in(w), out(p.weight_count());
    conv2d::cuda::turn_filters(nullptr, q, in.data(), out.data());
    const auto turned = out.host();
    for (std::int64_t k = 0; k < p.k; ++k)
      for (std::int64_t r = 0; r < p.r; ++r)
        for (std::int64_t s = 0; s < p.s; ++s)
          for (std::int64_t c = 0; c < p.x.c; ++c) {
            const float v = w[((k * p.r + r) * p.s + s) * p.x.c + c];
            CHECK(turned[((c * p.r + p.r - 1 - r) * p.s + p.s - 1 - s) * p.k + k] ==
                  (rounds ? float(bf16(v)) : v));
          }
  }
}

TEST_CASE("conv2d cuda: the weight gradient adds up splits, or writes where there is one") {
  Bits bits;
  const Case<float, float> many(kSplit, true), one(kProblems[0], true);
  using Names = std::vector<std::string>;
  CHECK(launches_of([&] { many.run_dw(bits, false); }) ==
        Names{"conv2d_backward_weights", "conv2d sum_partials"});
  CHECK(launches_of([&] { one.run_dw(bits, true); }) == Names{"conv2d_backward_weights"});
  CHECK(conv2d::cuda::backward_weights_workspace_bytes(one.p) == 0);
}

TEST_CASE_TEMPLATE("conv2d cuda: every barrier is needed, and its absence found", T, float, bf16) {
  const Case<T, T> c({.x = {1, 5, 6, 16}, .k = 8, .r = 3, .s = 3, .pad = {1, 1, 1, 1}}, false);
  check_barriers_are_needed([&] {
    Bits bits;
    c.run_y(bits);
    c.run_dx(bits, false);
    return bits;
  });
  const Case<T, T> many({.x = {1, 8, 9, 8}, .k = 8, .r = 3, .s = 3}, false);
  check_barriers_are_needed([&] {
    Bits bits;
    many.run_dw(bits, false);
    return bits;
  });
}

}  // namespace chiaro::emulated
