#include <doctest/doctest.h>

#include "kernels/base/build_config.hpp"
#include "tests/kernels/test_conv2d_harness.hpp"

using namespace chiaro;
using namespace chiaro::conv2d;
using namespace chiaro::conv2d::test;

namespace {

std::vector<Problem> geometries() {
  return {
      {.x = {2, 12, 11, 3}, .k = 32, .r = 9, .s = 9, .stride = 1, .pad = {}},
      {.x = {2, 13, 14, 32}, .k = 3, .r = 9, .s = 9, .stride = 1, .pad = {}},
      {.x = {1, 40, 12, 32}, .k = 3, .r = 9, .s = 9, .stride = 1, .pad = {}},
      {.x = {1, 20, 17, 8}, .k = 2, .r = 5, .s = 7, .stride = 1, .pad = {}},
      {.x = {2, 9, 11, 5}, .k = 7, .r = 3, .s = 3, .stride = 2, .pad = {}},
      {.x = {1, 8, 10, 16}, .k = 32, .r = 3, .s = 3, .stride = 2, .pad = {1, 1, 1, 1}},
      {.x = {2, 10, 9, 3}, .k = 64, .r = 3, .s = 3, .stride = 1, .pad = {1, 1, 1, 1}},
      {.x = {1, 7, 9, 33}, .k = 17, .r = 3, .s = 3, .stride = 1, .pad = {1, 1, 1, 1}},
      {.x = {2, 6, 7, 16}, .k = 16, .r = 2, .s = 3, .stride = 1, .pad = {1, 0, 1, 1}},
      {.x = {2, 6, 7, 16}, .k = 16, .r = 3, .s = 2, .stride = 1, .pad = {1, 1, 1, 0}},
      {.x = {2, 6, 7, 16}, .k = 16, .r = 2, .s = 2, .stride = 1, .pad = {1, 0, 1, 0}},
      {.x = {1, 5, 6, 64}, .k = 32, .r = 1, .s = 1, .stride = 1, .pad = {}},
      {.x = {1, 11, 11, 3}, .k = 64, .r = 7, .s = 7, .stride = 2, .pad = {3, 3, 3, 3}},
      {.x = {1, 4, 4, 1}, .k = 1, .r = 4, .s = 4, .stride = 1, .pad = {}},
      {.x = {2, 11, 13, 6}, .k = 9, .r = 5, .s = 4, .stride = 3, .pad = {2, 1, 3, 0}},
      {.x = {1, 5, 3, 4}, .k = 40, .r = 5, .s = 5, .stride = 2, .pad = {2, 2, 2, 2}},
      {.x = {1, 30, 40, 3}, .k = 12, .r = 9, .s = 9, .stride = 1, .pad = {4, 4, 4, 4}},
  };
}

std::vector<Problem> with_types(Problem p) {
  std::vector<Problem> all;
  for (const auto& [dtype, y_dtype] : {std::pair{DType::F32, DType::F32}, std::pair{DType::BF16, DType::BF16},
                                       std::pair{DType::BF16, DType::F32}}) {
    p.dtype = dtype;
    p.y_dtype = y_dtype;
    all.push_back(p);
  }
  return all;
}

// "" = the plan's own choice; then those that can be forced for all three passes here. oneDNN lacks passes on
// some instruction sets, and bf16 on most.
std::vector<std::string> implementations(const Problem& p) {
  std::vector<std::string> names = {"", "reference", p.dtype == DType::BF16 ? "widened" : "direct"};
  if (can_force(p, "onednn")) names.push_back("onednn");
  return names;
}

void check_exact(const Problem& p, const Data& data, GradientMode mode, const std::string& implementation) {
  CAPTURE(to_string(p));
  CAPTURE(implementation);
  const Results expected = rounded(run_double(p, data, mode), p);
  const Results found = run_plan(p, data, mode, implementation);
  CHECK(found.y == expected.y);
  CHECK(found.dx == expected.dx);
  CHECK(found.dw == expected.dw);
  CHECK(found.db == expected.db);
}

}  // namespace

TEST_CASE("conv2d: small integers are exact in all passes, shapes, types and implementations") {
  for (const Problem& geometry : geometries())
    for (Problem p : with_types(geometry))
      for (const auto& implementation : implementations(p))
        check_exact(p, integer_data(p), GradientMode::Overwrite, implementation);
}

TEST_CASE("conv2d: 1x1 filters that oneDNN gets wrong are exact all the same") {
  for (const Problem& geometry : {Problem{.x = {1, 5, 6, 16}, .k = 3, .r = 1, .s = 1},
                                  Problem{.x = {1, 5, 6, 12}, .k = 8, .r = 1, .s = 1, .stride = 2},
                                  Problem{.x = {1, 9, 14, 8}, .k = 8, .r = 1, .s = 1, .stride = 2}})
    for (const Problem& p : with_types(geometry))
      check_exact(p, integer_data(p), GradientMode::Overwrite, "");
}

TEST_CASE("conv2d: bias, accumulation and ReLU follow the convolution in that order") {
  for (const Problem& geometry : geometries())
    for (Problem p : with_types(geometry))
      for (const int mask : {2, 5, 7}) {
        p.bias = mask & 1;
        p.relu = mask & 2;
        p.accumulate = mask & 4;
        // Limit 1 and few terms: sums that bf16 holds exactly, however often they are rounded on the way.
        for (const auto& implementation : implementations(p))
          check_exact(p, integer_data(p, 1), GradientMode::Overwrite, implementation);
      }
}

TEST_CASE("conv2d: gradients are added to the old contents when asked") {
  for (const Problem& geometry : geometries())
    for (Problem p : with_types(geometry)) {
      p.bias = true;
      for (const auto& implementation : implementations(p))
        check_exact(p, integer_data(p, 1), GradientMode::Accumulate, implementation);
    }
}

TEST_CASE("conv2d: ignored gradients are not touched") {
  const Problem p{.x = {1, 5, 5, 3}, .k = 4, .r = 3, .s = 3, .stride = 1, .pad = {}};
  check_exact(p, integer_data(p), GradientMode::Ignore, "");
}

TEST_CASE("conv2d: random fp32 data stay within the rounding of a plain sum") {
  for (const Problem& p : geometries())
    for (const auto& implementation : implementations(p)) {
      CAPTURE(to_string(p));
      CAPTURE(implementation);
      const Data data = normal_data(p);
      const Results exact = run_double(p, data, GradientMode::Overwrite);
      const Results found = run_plan(p, data, GradientMode::Overwrite, implementation);
      const auto bound = [](int64_t terms) {
        return 1e-15 * static_cast<double>(std::max<int64_t>(terms, 100));
      };
      CHECK(nmse(exact.y, found.y) <= bound(p.r * p.s * p.x.c));
      CHECK(nmse(exact.dx, found.dx) <= bound(p.r * p.s * p.k));
      CHECK(nmse(exact.dw, found.dw) <= bound(p.y().count() / p.k));
    }
}

TEST_CASE("conv2d: random bf16 data err at most twice as much as the plain loops in bf16") {
  for (Problem p : geometries()) {
    p.dtype = p.y_dtype = DType::BF16;
    CAPTURE(to_string(p));
    const Data data = normal_data(p);
    const Results exact = run_double(p, data, GradientMode::Overwrite);
    const Results plain = run_plan(p, data, GradientMode::Overwrite, "reference");
    const Results found = run_plan(p, data, GradientMode::Overwrite);
    const auto largest_error = [](const Values& a, const Values& b) {
      double largest = 0;
      for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
      return largest;
    };
    CHECK(largest_error(exact.y, found.y) <= 2 * largest_error(exact.y, plain.y) + 1e-5);
    CHECK(largest_error(exact.dx, found.dx) <= 2 * largest_error(exact.dx, plain.dx) + 1e-5);
    CHECK(largest_error(exact.dw, found.dw) <= 2 * largest_error(exact.dw, plain.dw) + 1e-5);
  }
}

TEST_CASE("conv2d: two runs give the same bits") {
  for (const Problem& geometry : geometries())
    for (Problem p : with_types(geometry)) {
      CAPTURE(to_string(p));
      p.bias = true;
      const Data data = normal_data(p);
      CHECK(run_plan(p, data, GradientMode::Accumulate) == run_plan(p, data, GradientMode::Accumulate));
    }
}

TEST_CASE("conv2d: the double reference's gradients are those of finite differences") {
  const double h = 1e-5;
  for (Problem p : {Problem{.x = {2, 5, 6, 3}, .k = 2, .r = 3, .s = 2, .stride = 2, .pad = {1, 0, 0, 1}},
                    Problem{.x = {1, 4, 4, 2}, .k = 3, .r = 3, .s = 3, .stride = 1, .pad = {1, 1, 1, 1}}}) {
    p.bias = true;
    CAPTURE(to_string(p));
    Data data = normal_data(p);
    const auto loss = [&] {  // <dy, y>, so that dloss/dy = dy
      const Values y = run_double(p, data, GradientMode::Ignore).y;
      double sum = 0;
      for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * data.dy[i];
      return sum;
    };
    const Results gradients = run_double(p, data, GradientMode::Overwrite);
    const auto check = [&](Values& values, const Values& gradient) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        const double old = values[i];
        values[i] = old + h;
        const double above = loss();
        values[i] = old - h;
        const double below = loss();
        values[i] = old;
        CHECK((above - below) / (2 * h) == doctest::Approx(gradient[i]).epsilon(1e-6));
      }
    };
    check(data.x, gradients.dx);
    check(data.w, gradients.dw);
    check(data.b, gradients.db);
  }
}
