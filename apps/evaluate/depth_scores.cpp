#include "apps/evaluate/depth_scores.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/base/error.hpp"

namespace chiaro {

void DepthScoreSum::add(double prediction, double target) {
  ++pixels_;
  relative_ += std::abs(prediction - target) / target;
  squared_ += (prediction - target) * (prediction - target);
  logarithmic_ += std::abs(std::log10(prediction) - std::log10(target));
  const double ratio = std::max(target / prediction, prediction / target);
  double limit = 1;
  for (auto& within : within_) within += ratio < (limit *= 1.25);
}

void DepthScoreSum::add(std::span<const float> prediction, std::span<const float> target) {
  constexpr double kNearest = 0.01;  // meters
  require(prediction.size() == target.size(), "depth scores: {} predictions for {} targets",
          prediction.size(), target.size());
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (!(target[i] > 0)) continue;
    // Written so that a NaN stays one.
    add(prediction[i] < kNearest ? kNearest : double(prediction[i]), double(target[i]));
  }
}

DepthScores DepthScoreSum::scores() const {
  if (pixels_ == 0) return {};
  const auto n = static_cast<double>(pixels_);
  DepthScores scores{
      .pixels = pixels_, .rel = relative_ / n, .rms = std::sqrt(squared_ / n), .log10 = logarithmic_ / n};
  for (std::size_t k = 0; k < within_.size(); ++k) scores.delta[k] = static_cast<double>(within_[k]) / n;
  return scores;
}

}  // namespace chiaro
