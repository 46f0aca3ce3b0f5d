// The progress line of a long run, on standard error: rewritten in place on a terminal, else printed now and
// then.
#pragma once
#include <chrono>
#include <deque>
#include <optional>
#include <string>

namespace chiaro {

class Progress {
 public:
  // total: iterations at the end; items_per_iteration for the rate.
  Progress(std::int64_t total, std::int64_t items_per_iteration);

  // Notes a finished iteration. Time between two notes counts unless pause() was called in between.
  void note(std::int64_t iteration);
  void pause() { last_.reset(); }

  double items_per_second() const;  // median of the recent iterations; 0 before the first
  std::string remaining() const;    // "12m 05s"
  void show(const std::string& text, bool force = false);
  // Ends the line so that other output can follow.
  void finish_line();

 private:
  using Clock = std::chrono::steady_clock;

  std::int64_t total_, items_, iteration_ = 0;
  std::optional<Clock::time_point> last_;
  std::deque<double> seconds_;
  Clock::time_point shown_{};
  bool terminal_, line_open_ = false;
};

std::string duration_text(double seconds);

}  // namespace chiaro
