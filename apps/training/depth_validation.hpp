// How well a depth network saw when it was validated in training.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "apps/evaluate/depth_scores.hpp"
#include "apps/training/run_folder.hpp"

namespace chiaro {

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
