// Convolutions by Winograd's minimal filtering: against double, at every border and block size.
#include <doctest/doctest.h>

#include "tests/kernels/test_conv2d_harness.hpp"

using namespace chiaro;
using namespace chiaro::conv2d;
using namespace chiaro::conv2d::test;

namespace {

// At least 64 tiles for each of two threads, so that all passes are done.
std::vector<Problem> winograd_problems() {
  return {
      {.x = {2, 34, 34, 32}, .k = 32, .r = 3, .s = 3, .stride = 1, .pad = {}},
      {.x = {1, 47, 46, 16}, .k = 48, .r = 3, .s = 3, .stride = 1, .pad = {1, 1, 1, 1}},  // tiles hang over
      {.x = {3, 30, 33, 48}, .k = 16, .r = 3, .s = 3, .stride = 1, .pad = {2, 0, 1, 2}},
      {.x = {9, 15, 16, 64}, .k = 80, .r = 3, .s = 3, .stride = 1, .pad = {1, 1, 1, 1}},
      {.x = {2, 33, 40, 112}, .k = 96, .r = 3, .s = 3, .stride = 1, .pad = {1, 1, 1, 1}},  // large weights
      {.x = {2, 34, 33, 21}, .k = 43, .r = 3, .s = 3, .stride = 1, .pad = {1, 1, 1, 1}},   // parts of vectors
      {.x = {2, 43, 42, 32}, .k = 64, .r = 2, .s = 2, .stride = 1, .pad = {}},
      {.x = {2, 42, 43, 17}, .k = 32, .r = 2, .s = 2, .stride = 1, .pad = {1, 0, 1, 0}},
      {.x = {2, 40, 40, 32}, .k = 24, .r = 2, .s = 3, .stride = 1, .pad = {1, 0, 1, 1}},
      {.x = {2, 40, 40, 24}, .k = 32, .r = 3, .s = 2, .stride = 1, .pad = {1, 1, 1, 0}},
  };
}

void check_errors(const Results& exact, const Results& found) {
  // Measured: up to 1.2e-12, and 6e-12 in dw; a plain sum errs by 1e-13.
  CHECK(nmse(exact.y, found.y) <= 4e-12);
  CHECK(nmse(exact.dx, found.dx) <= 4e-12);
  CHECK(nmse(exact.dw, found.dw) <= 2e-11);
  if (!exact.db.empty()) CHECK(nmse(exact.db, found.db) <= 1e-12);
}

std::string choice(Problem p, Pass pass, Threads threads = Threads::All) {
  Context context(2);
  return Plan::make(context, p, threads)->implementation(pass);
}

}  // namespace

TEST_CASE("conv2d winograd: all passes, with bias, ReLU, accumulation and added gradients") {
  for (Problem p : winograd_problems())
    for (const int mask : {0, 1, 3, 4, 7}) {
      p.bias = mask & 1;
      p.relu = mask & 2;
      p.accumulate = mask & 4;
      CAPTURE(to_string(p));
      const Data data = normal_data(p);
      for (const GradientMode mode : {GradientMode::Overwrite, GradientMode::Accumulate})
        check_errors(run_double(p, data, mode), run_plan(p, data, mode, "winograd"));
    }
}

TEST_CASE("conv2d winograd: few tiles, whose inputs the threads share") {
  for (const Problem& p :
       {Problem{.x = {1, 16, 16, 32}, .k = 160, .r = 3, .s = 3, .stride = 1, .pad = {1, 1, 1, 1}},
        Problem{.x = {1, 17, 18, 96}, .k = 64, .r = 3, .s = 3, .stride = 1, .pad = {}}}) {
    CAPTURE(to_string(p));
    const Data data = normal_data(p);
    const Results exact = run_double(p, data, GradientMode::Overwrite);
    const Results found = run_plan(p, data, GradientMode::Overwrite);
    CHECK(choice(p, Pass::Forward) == "winograd");
    CHECK(choice(p, Pass::BackwardData) == "winograd");
    CHECK(nmse(exact.y, found.y) <= 4e-12);
    CHECK(nmse(exact.dx, found.dx) <= 4e-12);
    for (const int threads : {1, 8}) {
      const Results other = run_plan(p, data, GradientMode::Overwrite, "", threads);
      CHECK(other.y == found.y);
      CHECK(other.dx == found.dx);
    }
  }
}

TEST_CASE("conv2d winograd: two runs give the same bits, and a picture the same in any batch") {
  for (Problem p : winograd_problems()) {
    CAPTURE(to_string(p));
    p.bias = true;
    const Data data = normal_data(p);
    const Results batch = run_plan(p, data, GradientMode::Accumulate, "winograd");
    CHECK(batch == run_plan(p, data, GradientMode::Accumulate, "winograd"));
    Problem last = p;
    last.x.n = 1;
    if (choice(last, Pass::BackwardWeights) != "winograd") continue;
    const auto tail = [](const Values& v, int64_t count) { return Values(v.end() - count, v.end()); };
    Data own = data;
    own.x = tail(data.x, last.x.count());
    own.old_y = tail(data.old_y, last.y().count());
    own.dy = tail(data.dy, last.y().count());
    own.old_dx = tail(data.old_dx, last.x.count());
    const Results alone = run_plan(last, own, GradientMode::Accumulate, "winograd");
    CHECK(alone.y == tail(batch.y, last.y().count()));
    CHECK(alone.dx == tail(batch.dx, last.x.count()));
  }
}

TEST_CASE("conv2d winograd: chosen where it is the fastest, left out where one asks for that") {
  const Problem p{.x = {4, 66, 66, 128}, .k = 128, .r = 3, .s = 3, .stride = 1};
  for (const Pass pass : {Pass::Forward, Pass::BackwardData, Pass::BackwardWeights})
    CHECK(choice(p, pass) == "winograd");
  const auto declines = [](Problem q) {
    return choice(q, Pass::Forward) != "winograd" && choice(q, Pass::BackwardData) != "winograd" &&
           choice(q, Pass::BackwardWeights) != "winograd";
  };
  Problem other = p;
  other.stride = 2;
  CHECK(declines(other));
  other = p;
  other.s = 4;
  CHECK(declines(other));
  other = p;
  other.x.c = 12;
  CHECK(declines(other));
  other = p;
  other.x = {1, 9, 9, 128};  // few tiles
  CHECK(declines(other));
  other = p;
  other.dtype = other.y_dtype = DType::BF16;
  CHECK(declines(other));
  const ForcedImplementation without("conv2d:-winograd");
  CHECK(declines(p));
}
