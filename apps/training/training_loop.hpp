// The loop that every training runs in: time, interruption, progress, logs and checkpoints.
#pragma once
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <optional>
#include <string>

#include "apps/common/progress_line.hpp"
#include "apps/training/training_task.hpp"

namespace chiaro {

// How long a run has worked and how long it may: train.minutes.
//
// Counted is all that the user waits for: reading networks, the trial of loss.balance, iterations,
// validations, previews, checkpoints, over all parts of a run that is resumed. A checkpoint carries the time
// that led to it, so work that is lost with a killed program was never counted. The limit decides when to
// stop and nothing else: no number of a training depends on the clock, but for the weights of a trial cut
// short, which config.toml keeps.
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

// Ctrl-C, termination and the end of a terminal end a run after the iteration at hand; Ctrl-C or termination once more,
// and the program ends at once. While it lives, SIGINT, SIGTERM and SIGHUP are only noted; a SIGHUP that was ignored,
// as by nohup, stays so. One at a time.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

 private:
  static constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGHUP};
  std::array<void (*)(int), 3> before_;
};

// Whether a signal came since the guard was made.
bool stop_requested();

// How fast a training goes, how long it will take, and the line that says so.
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

// The loop of a training run of any task: iterations; metrics, previews, checkpoints and report out; Ctrl-C
// and values that are not finite end it in order.
class TrainingLoop {
 public:
  // done: iterations that are already finished, with the task's parameters as they were then. The clock has
  // the limit of train.minutes and outlives this object.
  TrainingLoop(const TaskSetup& setup, RunFolder folder, TrainingTask& task, std::int64_t done,
               const RunClock& clock);

  // Ends after train.iterations, or when the clock's time is up and at least one iteration is done, whichever
  // is sooner, in the same way. Returns the exit status: 0 at such an end, 130 when a signal stopped the run
  // after a checkpoint. A value that is not finite is an Error that names the iteration, the term and the
  // last checkpoint; no parameter that is not finite is ever written.
  int execute();

 private:
  bool due(std::int64_t every) const { return every > 0 && done_ % every == 0; }
  bool over() const { return done_ >= run_.iterations || (done_ > 0 && clock_.time_is_up()); }
  void iterate();
  void log(MetricsLine& line, bool always);
  void save_checkpoint();
  void write_preview();
  bool attempt(const std::function<void()>& write);
  int stop();
  int finish();

  const TaskSetup& setup_;
  const RunConfig& run_;
  RunFolder folder_;
  TrainingTask& task_;
  const RunClock& clock_;
  Progress progress_;
  bool noted_ = false;                          // the user knows that pictures and report cannot be written
  std::int64_t done_, saved_, previewed_ = -1;  // iterations: finished, in the newest checkpoint and preview
  bool over_;                                   // asked once per iteration, for the clock goes on
};

}  // namespace chiaro
