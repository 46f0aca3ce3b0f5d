#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "engine/rng.hpp"

using namespace chiaro;

TEST_CASE("rng: the published Philox4x32-10 test vectors") {  // Random123, kat_vectors
  CHECK(philox4x32_10({0, 0, 0, 0}, {0, 0}) == PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const std::uint32_t ones = 0xffffffff;
  CHECK(philox4x32_10({ones, ones, ones, ones}, {ones, ones}) ==
        PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("rng: seed, stream and both halves of the counter all matter") {
  const std::uint64_t high = std::uint64_t{1} << 32;
  std::set<PhiloxBlock> blocks{Rng(0, 0)(0), Rng(1, 0)(0), Rng(high, 0)(0),
                               Rng(0, 1)(0), Rng(0, 0)(1), Rng(0, 0)(high)};
  CHECK(blocks.size() == 6);
  CHECK(Rng(7, 3)(5) == Rng(7, 3)(5));
}

TEST_CASE("rng: uniform stays in [0, 1) with the right mean and variance") {
  const Rng rng(42);
  const int count = 100000;
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    const float u = rng.uniform(static_cast<std::uint64_t>(i));
    REQUIRE(u >= 0.0f);
    REQUIRE(u < 1.0f);
    REQUIRE(std::ldexp(u, 24) == std::floor(std::ldexp(u, 24)));
    sum += u;
    squares += double{u} * u;
  }
  const double mean = sum / count;
  CHECK(mean == doctest::Approx(0.5).epsilon(0.01));  // five standard deviations
  CHECK(squares / count - mean * mean == doctest::Approx(1.0 / 12).epsilon(0.02));
}

TEST_CASE("rng: below has no modulo bias") {
  const Rng rng(1);
  std::map<std::int64_t, int> counts;
  for (std::uint64_t i = 0; i < 30000; ++i) ++counts[rng.below(i, 3)];
  REQUIRE(counts.size() == 3);
  for (const auto& [value, count] : counts) CHECK(std::abs(count - 10000) < 400);

  // With n = 3 * 2^61 a plain remainder would fall below 2^62 in 3 of 4 draws instead of 2 of 3.
  const std::int64_t n = std::int64_t{3} << 61;
  int low = 0;
  for (std::uint64_t i = 0; i < 30000; ++i) {
    const std::int64_t draw = rng.below(i, n);
    REQUIRE(draw >= 0);
    REQUIRE(draw < n);
    low += draw < (std::int64_t{1} << 62);
  }
  CHECK(std::abs(low - 20000) < 400);
  CHECK(rng.below(9, 1) == 0);
  CHECK_THROWS_WITH_AS(rng.below(0, 0), "rng: below(0) has no values to choose from", Error);
}

TEST_CASE("rng: permutation holds every number once and every order is equally likely") {
  const std::vector<std::int64_t> order = permutation(Rng(3), 1000);
  std::vector<std::int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (std::int64_t i = 0; i < 1000; ++i) CHECK(sorted[static_cast<std::size_t>(i)] == i);
  CHECK(order != sorted);
  CHECK(order == permutation(Rng(3), 1000));
  CHECK(order != permutation(Rng(4), 1000));
  CHECK(permutation(Rng(3), 0).empty());

  std::map<std::vector<std::int64_t>, int> counts;
  for (std::uint64_t i = 0; i < 6000; ++i) ++counts[permutation(Rng(5), 3, i << 32)];
  REQUIRE(counts.size() == 6);
  for (const auto& [order_of_three, count] : counts) CHECK(std::abs(count - 1000) < 150);
}

// From an independent implementation in Python. If one of them changes, resumed runs no longer see the
// batches that they would have seen without the interruption.
TEST_CASE("rng: numbers that resumed runs depend on") {
  CHECK(permutation(Rng(1), 8) == std::vector<std::int64_t>{2, 3, 0, 1, 7, 6, 4, 5});
  CHECK(Rng(1, 2).below(3, 1000000) == 324626);
  CHECK(Rng(1, 2).uniform(3) == 14551231 * 0x1p-24f);
}
