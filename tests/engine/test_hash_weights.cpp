// The values that tests compute must be those of tests/golden/hash_values.py, bit for bit: all goldens rest
// on it.
#include "tests/support/hash_weights.hpp"

#include <doctest/doctest.h>

#include <numeric>

namespace chiaro::test {
namespace {

using Extents = std::vector<std::int64_t>;

struct Expected {
  const char* name;
  Extents shape;
  std::uint32_t seed;
  HashRuleFunction rule;
  float first, second, last;  // printed by hash_values.tensor as float.hex()
};

TEST_CASE("hash_weights: parameters equal those of the Python twin, bit for bit") {
  const Expected cases[] = {
      {"conv1.weight",
       {4, 9, 9, 3},
       kSeedTransform,
       hash_rule,
       -0x1.1e0fe6p-3f,
       -0x1.f9a26cp-5f,
       -0x1.9695a6p-5f},
      {"norm1.gamma", {4}, kSeedTransform, hash_rule, 0x1.3553ccp+0f, 0x1.2b6d38p-1f, 0x1.229c34p+0f},
      {"bn_conv1.variance", {4}, kSeedResnet, hash_rule, 0x1.647252p+10f, 0x1.d62ffap+9f, 0x1.f76ac6p+9f},
      {"conv1_1.bias", {4}, kSeedVgg, hash_rule, -0x1.209c34p-5f, 0x1.7a9224p-4f, 0x1.44accap-4f},
      {"layer16x_br2_ConvD.weight",
       {8, 2, 2, 16},
       kSeedResnet,
       hash_rule,
       -0x1.2a9f6ep-3f,
       0x1.1cb45cp-2f,
       -0x1.94a738p-3f},
  };
  for (const Expected& e : cases) {
    CAPTURE(e.name);
    const std::vector<float> values = hash_tensor(e.name, e.shape, e.seed, e.rule);
    CHECK(values[0] == e.first);
    CHECK(values[1] == e.second);
    CHECK(values.back() == e.last);
  }
}

TEST_CASE("hash_weights: the training step scales some parameters") {
  const Extents shape = {4, 3, 3, 2};
  const std::vector<float> scaled = hash_tensor("conv4_2.weight", shape, kSeedVgg, train_step_rule);
  CHECK(scaled[0] == -0x1.3c1576p+0f);
  CHECK(scaled[1] == 0x1.254d7cp-2f);
  const std::vector<float> plain = hash_tensor("conv4_2.weight", shape, kSeedVgg);
  CHECK(scaled[0] == 4 * plain[0]);
}

TEST_CASE("hash_weights: pictures equal those of the Python twin") {
  const std::vector<float> picture = hash_picture("photo", 2, 19, 22);
  REQUIRE(picture.size() == 2 * 19 * 22 * 3);
  const float first[] = {174, 234, 16, 171, 236, 13, 173, 198};
  for (int i = 0; i < 8; ++i) CHECK(picture[i] == first[i]);
  CHECK(picture[picture.size() - 3] == 133);
  CHECK(picture.back() == 151);
  CHECK(std::accumulate(picture.begin(), picture.end(), 0.0) == 313874.0);
}

TEST_CASE("hash_weights: an unknown kind of parameter is an error") {
  CHECK_THROWS_WITH_AS(hash_tensor("norm1.slope", Extents{4}, kSeedTransform),
                       "hash_rule: 'norm1.slope' ends with no known kind of parameter", Error);
}

}  // namespace
}  // namespace chiaro::test
