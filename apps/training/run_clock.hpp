// How long a run has worked and how long it may: train.minutes.
//
// Counted is all that the user waits for: reading networks, the trial of loss.balance, iterations,
// validations, previews, checkpoints, over all parts of a run that is resumed. A checkpoint carries the time
// that led to it, so work that is lost with a killed program was never counted. The limit decides when to
// stop and nothing else: no number of a training depends on the clock, but for the weights of a trial cut
// short, which config.toml keeps.
#pragma once
#include <algorithm>

#include "apps/common/progress_line.hpp"

namespace chiaro {

class RunClock {
 public:
  using Now = ProgressLine::Now;

  // Begins to count. minutes: of the whole run; 0 = no limit.
  explicit RunClock(double minutes, Now now = steady_seconds);

  // What the run worked before this part of it.
  void add(double seconds) { before_ += seconds; }

  double seconds() const { return before_ + (now_() - begin_); }
  double limit() const { return limit_; }  // seconds, or infinity
  double left() const { return std::max(limit_ - seconds(), 0.0); }
  bool time_is_up() const { return left() == 0; }

 private:
  Now now_;
  double begin_, before_ = 0, limit_;
};

}  // namespace chiaro
