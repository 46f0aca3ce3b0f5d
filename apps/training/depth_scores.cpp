#include "apps/training/depth_scores.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

constexpr double kNearest = 0.01;  // meters

}  // namespace

void DepthScoreSum::add(std::span<const float> prediction, std::span<const float> target) {
  require(prediction.size() == target.size(), "depth scores: {} predictions for {} targets",
          prediction.size(), target.size());
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (!(target[i] > 0)) continue;
    // Written so that a NaN stays one.
    const double x = target[i], y = prediction[i] < kNearest ? kNearest : double(prediction[i]);
    ++pixels_;
    relative_ += std::abs(y - x) / x;
    squared_ += (y - x) * (y - x);
    logarithmic_ += std::abs(std::log10(y) - std::log10(x));
    const double ratio = std::max(x / y, y / x);
    double limit = 1;
    for (auto& within : within_) within += ratio < (limit *= 1.25);
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
