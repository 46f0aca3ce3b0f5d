// How fast a training goes, how long it will take, and the line that says so.
#pragma once
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>

#include "apps/common/progress_line.hpp"

namespace chiaro {

class Progress {
 public:
  // total: iterations at the end; items_per_iteration for the rate; done: iterations that are behind already.
  Progress(std::int64_t total, std::int64_t items_per_iteration, std::int64_t done = 0);

  // Notes a finished iteration. Time between two notes counts unless pause() was called in between.
  void note(std::int64_t iteration);
  void pause() { last_.reset(); }

  double items_per_second() const;  // median of the recent iterations; 0 before the first
  // "12m 05s" for the iterations that are left, or for limit_s seconds where these are over sooner; "?" when
  // nothing is known.
  std::string remaining(double limit_s = std::numeric_limits<double>::infinity()) const;
  void show(const std::string& text, bool force = false) { line_.show(text, force); }
  void finish_line() { line_.finish(); }

 private:
  std::int64_t total_, items_, iteration_;
  std::optional<double> last_;  // when an iteration ended
  std::deque<double> seconds_;
  ProgressLine line_{ProgressLine::Begin::AtOnce};
};

}  // namespace chiaro
