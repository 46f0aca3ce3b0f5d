// Values to test with, from a seed.
#pragma once
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/base/bf16.hpp"

namespace chiaro::test {

template <class T, class Distribution>
std::vector<T> draw(std::int64_t count, unsigned seed, Distribution distribution) {
  std::mt19937 random(seed);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& v : values) v = T(static_cast<float>(distribution(random)));
  return values;
}

template <class T>
std::vector<T> random_values(std::int64_t count, unsigned seed, double low = -1, double high = 1) {
  return draw<T>(count, seed, std::uniform_real_distribution<double>(low, high));
}
template <class T>
std::vector<T> normal_values(std::int64_t count, unsigned seed, float mean = 0, float deviation = 1) {
  return draw<T>(count, seed, std::normal_distribution<float>(mean, deviation));
}
// Small integers: sums of their products are exact in fp32, they themselves in bf16.
template <class T>
std::vector<T> integer_values(std::int64_t count, unsigned seed, int low = -4, int high = 4) {
  return draw<T>(count, seed, std::uniform_int_distribution<int>(low, high));
}

}  // namespace chiaro::test
