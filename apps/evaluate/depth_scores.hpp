// How good predicted depth is, over pixels of many pictures whose depth is known:
//   rel = mean |y - x| / x      rms = sqrt(mean (y - x)^2), meters      log10 = mean |log10 y - log10 x|
//   delta[k] = share of pixels with max(x / y, y / x) < 1.25^(k+1)              x: target, y: prediction
// Every pixel counts the same, whichever picture it is from.
// Deterministic: sums in double, in the order of add().
// Source: Eigen, Puhrsch, Fergus 2014, arXiv:1406.2283, section 4.
#pragma once
#include <array>
#include <cstdint>
#include <span>

namespace chiaro {

struct DepthScores {
  std::int64_t pixels = 0;  // without any the rest is 0
  double rel = 0, rms = 0, log10 = 0;
  std::array<double, 3> delta{};
};

class DepthScoreSum {
 public:
  // One pixel; both in meters, above 0.
  void add(double prediction, double target);
  // The pixels whose depth was measured (target > 0). Predictions below 1 cm count as 1 cm, so that the zeros
  // of a ReLU have a logarithm. Of equal length, meters.
  void add(std::span<const float> prediction, std::span<const float> target);
  DepthScores scores() const;

 private:
  std::int64_t pixels_ = 0;
  double relative_ = 0, squared_ = 0, logarithmic_ = 0;
  std::array<std::int64_t, 3> within_{};
};

}  // namespace chiaro
