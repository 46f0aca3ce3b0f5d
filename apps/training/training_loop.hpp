// The loop of a training run of any task: iterations; metrics, previews, checkpoints and report out; Ctrl-C
// and values that are not finite end it in order.
#pragma once
#include "apps/training/progress.hpp"
#include "apps/training/training_task.hpp"

namespace chiaro {

class TrainingLoop {
 public:
  // done: iterations that are already finished, with the task's parameters as they were then.
  TrainingLoop(const TaskSetup& setup, RunFolder folder, TrainingTask& task, std::int64_t done);

  // Returns the exit status: 0 when all iterations ran, 130 when a signal stopped the run after a checkpoint.
  // A value that is not finite is an Error that names the iteration, the term and the last checkpoint; no
  // parameter that is not finite is ever written.
  int execute();

 private:
  bool due(std::int64_t every) const { return every > 0 && done_ % every == 0; }
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
  Progress progress_;
  std::int64_t done_, saved_, previewed_ = -1;  // iterations: finished, in the newest checkpoint and preview
};

}  // namespace chiaro
