// The loop of a training run of any task: iterations; metrics, previews, checkpoints and report out; Ctrl-C
// and values that are not finite end it in order.
#pragma once
#include "apps/training/progress.hpp"
#include "apps/training/run_clock.hpp"
#include "apps/training/training_task.hpp"

namespace chiaro {

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
  int stop();
  int finish();

  const TaskSetup& setup_;
  const RunConfig& run_;
  RunFolder folder_;
  TrainingTask& task_;
  const RunClock& clock_;
  Progress progress_;
  std::int64_t done_, saved_, previewed_ = -1;  // iterations: finished, in the newest checkpoint and preview
  bool over_;                                   // asked once per iteration, for the clock goes on
};

}  // namespace chiaro
