// How well a depth network sees: its scores, and when they are measured in training.
#pragma once
#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>

#include "apps/training/run_folder.hpp"

namespace chiaro {

// How good predicted depth is, over all pixels whose depth was measured (target > 0), of many pictures:
//   rel = mean |y - x| / x      rms = sqrt(mean (y - x)^2), meters      log10 = mean |log10 y - log10 x|
//   delta[k] = share of pixels with max(x / y, y / x) < 1.25^(k+1)              x: target, y: prediction
// Every pixel counts the same, whichever picture it is from. Predictions below 1 cm count as 1 cm, so that the zeros of
// a ReLU have a logarithm. Sums in double, in the order of add(): deterministic.
// Source: Eigen, Puhrsch, Fergus 2014, arXiv:1406.2283, section 4.

struct DepthScores {
  std::int64_t pixels = 0;  // measured ones; without any the rest is 0
  double rel = 0, rms = 0, log10 = 0;
  std::array<double, 3> delta{};
};

class DepthScoreSum {
 public:
  // Of equal length, meters.
  void add(std::span<const float> prediction, std::span<const float> target);
  DepthScores scores() const;

 private:
  std::int64_t pixels_ = 0;
  double relative_ = 0, squared_ = 0, logarithmic_ = 0;
  std::array<std::int64_t, 3> within_{};
};

// Validations of a depth training, and which of them was the best.
struct Validation {
  std::int64_t iteration = 0;
  DepthScores scores;

  // More pixels within a factor of 1.25.
  bool better_than(const std::optional<Validation>& other) const {
    return !other || scores.delta[0] > other->scores.delta[0];
  }
};

nlohmann::ordered_json to_json(const DepthScores& scores);

// The best validation in metrics.jsonl, the first of equals, if model.h5 is its network. None when that is
// not there, or of a later iteration than those in metrics.jsonl, which a run that goes on will make again.
std::optional<Validation> best_validation(const RunFolder& folder);

}  // namespace chiaro
