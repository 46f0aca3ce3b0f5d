// What a kind of training is (a style network, a depth network, a VGG in factors), as far as the loop of a
// run is concerned: TrainingLoop does the rest.
#pragma once
#include <cmath>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/training/config.hpp"
#include "apps/training/run_folder.hpp"
#include "engine/data/loader.hpp"
#include "engine/data/photo_source.hpp"
#include "engine/image/image.hpp"
#include "engine/param_store.hpp"
#include "engine/session_plan.hpp"
#include "kernels/base/context.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

// The batches of photos that a configuration asks for.
BatchOptions batch_options(const TrainConfig& config);

// first_batch: how many batches the run has had.
LoaderOptions loader_options(const TrainConfig& config, std::int64_t first_batch = 0);

// The names of all photos; of those in folders without the folder.
std::vector<std::string> names_of(const PhotoSource& source, const std::vector<std::string>& folders);

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
  // Of the pictures to train on, in their order, from the folders of data.train on.
  virtual std::vector<std::string> data_names() const { return {}; }
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

// task = "style": a transform network learns a style.
//
// Lines of metrics.jsonl: {iteration, gradient_norms and parameter_gradient_norm at intervals, raw, weighted,
// total, images_per_s}, the first and the two in the middle with a value per loss term; with several styles
// also style_losses, the raw style loss by style of the batch. Previews show up to four photos above and the
// same in each style below.
// Errors: those of StyleTrainer and of open_photo_source().
std::unique_ptr<TrainingTask> make_style_task(const TaskSetup& setup);

// task = "depth": a ResNet-UpProj learns to see depth.
//
// Lines of metrics.jsonl: {iteration, parameter_gradient_norm at intervals, loss, lr, images_per_s}, and
// after validations {iteration, validation: {pixels, rel, rms, log10, delta1, delta2, delta3}}. RUN/model.h5
// is the network of the validation with the largest delta1, the first of equals; without a validation list,
// that of the last iteration. A run that starts from model.init has a validation of that network as its first
// line, with iteration 0. A run that was made longer has had a validation at its former end. Previews
// show pictures that the network is not trained on, where there are any.
// Errors: those of DepthTrainer and of open_depth_data().
std::unique_ptr<TrainingTask> make_depth_task(const TaskSetup& setup);

// task = "distill": a VGG-19 in factors of low rank learns to imitate the one of weights.vgg19, for losses to
// look through.
//
// Lines of metrics.jsonl: {iteration, parameter_gradient_norm at intervals, raw, weighted, total, lr,
// images_per_s}, raw and weighted with the terms "feature" and "gram": relative squared errors, averaged over
// layers and pictures. After validations {iteration, validation: {feature: {relu1_1: ...}, gram: {...}}}: the
// same by layer, over all photos of distill.validation, their middle squares. The last batch of a validation
// is filled up with its first photos, which count twice. RUN/model.h5 is the network of the last iteration.
// There are no previews.
// Errors: those of DistillTrainer and of open_photo_source().
std::unique_ptr<TrainingTask> make_distill_task(const TaskSetup& setup);

}  // namespace chiaro
