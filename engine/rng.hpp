// Counter-based random numbers: Philox4x32-10.
//
// A number is a pure function of (seed, stream, counter): there is no state to save, and any number can be
// computed without the ones before it. That is what makes batches and resumed runs reproducible.
//   key     = (seed low, seed high)
//   counter = (counter low, counter high, stream, attempt)      attempt: 0, or the retry number in below()
// Only integer arithmetic and exact conversions: the same bits on every platform.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once
#include <array>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/base/error.hpp"

namespace chiaro {

using PhiloxBlock = std::array<std::uint32_t, 4>;

// The block cipher itself, ten rounds.
inline PhiloxBlock philox4x32_10(PhiloxBlock counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9;  // Weyl sequence: the golden ratio, sqrt(3) - 1
    key[1] += 0xBB67AE85;
  }
  return counter;
}

// A stream for every name: FNV-1a of its bytes.
constexpr std::uint32_t stream_of(std::string_view name) {
  std::uint32_t hash = 2166136261u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

class Rng {
 public:
  // Streams with different numbers are independent; give every use of random numbers its own.
  explicit Rng(std::uint64_t seed, std::uint32_t stream = 0) : seed_(seed), stream_(stream) {}

  // 128 random bits.
  PhiloxBlock operator()(std::uint64_t counter) const { return block(counter, 0); }

  // Uniform in [0, 1): a multiple of 2^-24, so the conversion is exact and 1 never appears.
  float uniform(std::uint64_t counter) const {
    return static_cast<float>(block(counter, 0)[0] >> 8) * 0x1p-24f;
  }

  // Uniform in {0, ..., n - 1}, every value exactly equally likely. Error unless n > 0.
  std::int64_t below(std::uint64_t counter, std::int64_t n) const {
    require(n > 0, "rng: below({}) has no values to choose from", n);
    const auto range = static_cast<std::uint64_t>(n);
    const std::uint64_t excess =
        (0 - range) % range;  // 2^64 mod n: this many draws would come up once too often
    for (std::uint32_t attempt = 0;; ++attempt) {
      const PhiloxBlock bits = block(counter, attempt);
      const std::uint64_t draw = bits[0] | std::uint64_t{bits[1]} << 32;
      if (draw >= excess) return static_cast<std::int64_t>(draw % range);
    }
  }

 private:
  PhiloxBlock block(std::uint64_t counter, std::uint32_t attempt) const {
    return philox4x32_10(
        {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32), stream_, attempt},
        {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
  }

  std::uint64_t seed_;
  std::uint32_t stream_;
};

// A random order of 0, ..., n - 1, all n! equally likely (Fisher-Yates). Reads the counters first_counter + 1
// to first_counter + n - 1. Error unless n >= 0.
inline std::vector<std::int64_t> permutation(const Rng& rng, std::int64_t n,
                                             std::uint64_t first_counter = 0) {
  require(n >= 0, "rng: permutation of {} elements", n);
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::int64_t i = n - 1; i > 0; --i) {
    const std::int64_t j = rng.below(first_counter + static_cast<std::uint64_t>(i), i + 1);
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(j)]);
  }
  return order;
}

}  // namespace chiaro
