#include "apps/training/progress.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace chiaro {

namespace {

constexpr std::size_t kWindow = 50;  // iterations that the rate is taken over

}  // namespace

Progress::Progress(std::int64_t total, std::int64_t items_per_iteration, std::int64_t done)
    : total_(total), items_(items_per_iteration), iteration_(done), last_(steady_seconds()) {}

void Progress::note(std::int64_t iteration) {
  const double now = steady_seconds();
  if (last_) {
    seconds_.push_back(now - *last_);
    if (seconds_.size() > kWindow) seconds_.pop_front();
  }
  last_ = now;
  iteration_ = iteration;
}

double Progress::items_per_second() const {
  if (seconds_.empty()) return 0;
  std::vector<double> sorted(seconds_.begin(), seconds_.end());
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2),
                   sorted.end());
  return static_cast<double>(items_) / sorted[sorted.size() / 2];
}

std::string Progress::remaining(double limit_s) const {
  const double rate = items_per_second();
  const double needed = rate > 0 ? static_cast<double>((total_ - iteration_) * items_) / rate
                                 : std::numeric_limits<double>::infinity();
  const double left = std::min(needed, limit_s);
  return std::isfinite(left) ? duration_text(left) : "?";
}

}  // namespace chiaro
