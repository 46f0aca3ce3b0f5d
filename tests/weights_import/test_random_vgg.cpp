#include <doctest/doctest.h>

#include <cmath>

#include "layers/networks/vgg/vgg.hpp"
#include "tests/support/compare.hpp"
#include "weights_import/random_vgg.hpp"

namespace chiaro {
namespace {

using test::contains;
using test::error_of;

TEST_CASE("VGG: the published networks") {
  const auto count = [](int depth) {
    std::int64_t sum = 0;
    for (const ParameterShape& parameter : parameters(Vgg{.depth = depth})) sum += count_of(parameter.shape);
    return sum;
  };
  CHECK(convolutions({.depth = 19}).size() == 16);
  CHECK(convolutions({.depth = 16}).size() == 13);
  CHECK(count(19) == 20024384);  // Keras' model summaries, include_top=False
  CHECK(count(16) == 14714688);
  CHECK(convolutions({.last_conv = "relu4_2"}).back().name() == "conv4_2");
  CHECK(convolutions({.depth = 19, .width = 8}).back().out_channels == 64);
  CHECK(error_of([] { convolutions({.depth = 18}); }) == "VGG: depth 18, expected 16 or 19");
  CHECK(contains(error_of([] { convolutions({.last_conv = "relu3-4"}); }), "did you mean 'relu3_4'?"));
}

// Inner products of rows i and j of a (K x 9C), or of its columns.
double inner(const std::vector<float>& a, std::int64_t K, std::int64_t D, std::int64_t i, std::int64_t j,
             bool rows) {
  double sum = 0;
  if (rows) {
    for (std::int64_t d = 0; d < D; ++d) sum += double{a[i * D + d]} * a[j * D + d];
  } else {
    for (std::int64_t k = 0; k < K; ++k) sum += double{a[k * D + i]} * a[k * D + j];
  }
  return sum;
}

TEST_CASE("random_vgg: filters are orthogonal with the gain that keeps the scale, biases are zero") {
  const WeightsFile weights = random_vgg(19, 64, 7, "relu2_1");
  REQUIRE(weights.parameters.size() == 6);
  for (const VggConvolution& conv : convolutions({.last_conv = "relu2_1"})) {
    CAPTURE(conv.name());
    const NamedTensor& weight = *weights.find(conv.name() + ".weight");
    const std::int64_t K = conv.out_channels, D = 9 * conv.in_channels;
    const bool rows = K <= D;
    const double expected = rows ? 2.0 : 2.0 * static_cast<double>(K) / static_cast<double>(D);
    double worst = 0, total = 0;
    for (std::int64_t i = 0; i < std::min(K, D); ++i) {
      for (std::int64_t j = 0; j <= i; ++j) {
        worst = std::max(worst, std::fabs(inner(weight.values, K, D, i, j, rows) - (i == j ? expected : 0)));
      }
    }
    for (const float v : weight.values) total += double{v} * v;
    CHECK(worst < 1e-5);
    CHECK(total / static_cast<double>(K) == doctest::Approx(2).epsilon(1e-5));
    for (const float b : weights.find(conv.name() + ".bias")->values) CHECK(b == 0);
  }
  CHECK(contains(weights.provenance, "random"));
  CHECK(weights.kind == "vgg19");
}

TEST_CASE("random_vgg: a seed gives one network, another seed another, a shorter one its beginning") {
  const WeightsFile one = random_vgg(16, 4, 1), again = random_vgg(16, 4, 1), other = random_vgg(16, 4, 2);
  const WeightsFile cut = random_vgg(16, 4, 1, "relu1_2");
  REQUIRE(one.parameters.size() == 26);
  for (std::size_t i = 0; i < one.parameters.size(); ++i) {
    CHECK(one.parameters[i].values == again.parameters[i].values);
    if (i % 2 == 0) CHECK(one.parameters[i].values != other.parameters[i].values);
  }
  REQUIRE(cut.parameters.size() == 4);
  CHECK(cut.parameters[2].values == one.parameters[2].values);
}

}  // namespace
}  // namespace chiaro
