// What a kind of training is, as far as the loop of a run is concerned: TrainingLoop does the rest.
#pragma once
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/training/config.hpp"
#include "apps/training/run_folder.hpp"
#include "engine/image/image.hpp"
#include "engine/param_store.hpp"
#include "engine/session_plan.hpp"
#include "kernels/base/context.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

// A line of metrics.jsonl.
using MetricsLine = nlohmann::ordered_json;

// What a task is made from. Everything referred to outlives the task.
struct TaskSetup {
  Context& context;
  const TrainConfig& config;
  DType dtype = DType::F32;
  SessionOptions session;
  // The parameters will come from a checkpoint: files with initial values are no longer needed, and perhaps
  // gone.
  bool from_checkpoint = false;
};

// Thrown by step() for a value that is not finite. remedy: the keys of which a lower value may help.
class NotFinite : public Error {
 public:
  NotFinite(const std::string& reason, std::string remedy)
      : Error("{}", reason), remedy_(std::move(remedy)) {}
  const std::string& remedy() const { return remedy_; }

 private:
  std::string remedy_;
};

inline void require_finite_loss(const std::string& term, double value, const std::string& remedy) {
  if (std::isfinite(value)) return;
  throw NotFinite(fmt::format("the {} loss is {}", term, std::isnan(value) ? "NaN" : "infinite"), remedy);
}

inline void require_finite_gradient(double norm) {
  if (!std::isfinite(norm)) throw NotFinite("the gradient of the parameters is not finite", "optimizer.lr");
}

class TrainingTask {
 public:
  virtual ~TrainingTask() = default;

  virtual ParamStore& params() = 0;
  virtual ParamStore* statistics() { return nullptr; }  // what else belongs into checkpoints
  virtual std::int64_t arena_bytes() = 0;               // memory of a step
  virtual std::string data_text() const = 0;            // for the user: "128 photos"
  virtual std::vector<std::string> notes() const { return {}; }

  // Called once, when the parameters have the values that the run begins or goes on with. The folder outlives
  // the task.
  virtual void begin(const RunFolder& folder, std::int64_t iterations_done) = 0;

  // One iteration; counts from 1. Adds what it found to the line, "parameter_gradient_norm" only where
  // wanted. Throws NotFinite, and then has changed no parameter.
  virtual void step(std::int64_t iteration, bool with_gradient_norms, MetricsLine& line) = 0;
  // What the progress line says after a step: "  loss 0.1".
  virtual std::string progress_text() const = 0;
  // Called after every step, before its checkpoint is written: the place for validations. Returns whether it
  // did anything that takes time.
  virtual bool after_step(std::int64_t, bool /*last*/) { return false; }
  // A picture without rows: there is nothing to show.
  virtual Image preview() { return {}; }
  // "" or lines about data that could not be used.
  virtual std::string skipped_summary() const = 0;

  // Called after the last iteration: leaves model.h5 in the folder. Returns lines for the user, each
  // beginning with a line break, or "".
  virtual std::string finish(std::int64_t iterations) = 0;
};

}  // namespace chiaro
