#include "apps/training/training_task.hpp"

#include <optional>

#include "apps/training/depth_data.hpp"
#include "apps/training/depth_trainer.hpp"
#include "apps/training/depth_validation.hpp"
#include "apps/training/optimizer.hpp"
#include "apps/training/run_folder.hpp"
#include "kernels/base/build_config.hpp"

namespace chiaro {

namespace {

DepthLoaderOptions loader_options(const TrainConfig& config, PictureSize target, std::int64_t first_batch) {
  DepthLoaderOptions options;
  options.batches = depth_batch_options(config, DepthUse::Train, target);
  options.first_batch = first_batch;
  options.workers = static_cast<int>(config.data.workers);
  return options;
}

// The checkpoint has what these files gave.
TrainConfig initial_network(const TaskSetup& setup) {
  TrainConfig config = setup.config;
  if (setup.from_checkpoint) {
    config.model.init.clear();
    config.depth.encoder_weights.clear();
  }
  return config;
}

class DepthTask : public TrainingTask {
 public:
  explicit DepthTask(const TaskSetup& setup)
      : config_(setup.config),
        data_(open_depth_data(config_)),
        trainer_(setup.context, initial_network(setup), setup.dtype, setup.session),
        still_(data_.validation ? data_.validation : data_.train,
               depth_batch_options(config_, DepthUse::Validate, trainer_.target_size())) {}

  ParamStore& params() override { return trainer_.params(); }
  ParamStore* statistics() override { return &trainer_.statistics(); }
  std::int64_t arena_bytes() override { return trainer_.session().plan().memory.arena_bytes; }
  std::string data_text() const override {
    return fmt::format("{} pairs to train on, {} to validate", data_.train->count(),
                       data_.validation ? data_.validation->count() : 0);
  }

  std::vector<std::string> data_names() const override {
    std::vector<std::string> names;
    for (std::int64_t i = 0; i < data_.train->count(); ++i) names.push_back(data_.train->name(i));
    return names;
  }

  void begin(const RunFolder& folder, std::int64_t done) override {
    folder_ = &folder;
    trainer_.values_changed();
    loader_.emplace(data_.train, loader_options(config_, trainer_.target_size(), done));
    best_ = best_validation(folder);
    if (done > 0 || best_ || !data_.validation || config_.model.init.empty()) return;
    folder.truncate_metrics(-1);  // a run that was cut off here has the line, but not its model
    validate(0);
  }

  void step(std::int64_t iteration, bool with_gradient_norms, MetricsLine& line) override {
    loss_ = trainer_.step(iteration, loader_->next());
    require_finite_loss("depth", loss_, "optimizer.lr");
    const double gradient_norm = trainer_.parameter_gradient_norm();
    require_finite_gradient(gradient_norm);
    if (with_gradient_norms) line["parameter_gradient_norm"] = gradient_norm;
    line["loss"] = loss_;
    line["lr"] = learning_rate(config_.optimizer, iteration, config_.train.iterations);
  }

  std::string progress_text() const override {
    std::string text = fmt::format("  loss {:.4f}", loss_);
    if (best_) text += fmt::format("  best delta1 {:.3f}", best_->scores.delta[0]);
    return text;
  }

  bool after_step(std::int64_t iteration, bool last) override {
    const std::int64_t every = config_.depth.validate_every;
    if (!data_.validation || !(last || (every > 0 && iteration % every == 0))) return false;
    validate(iteration);
    return true;
  }

  Image preview() override {
    still_.build(0, still_batch_);
    return draw_depth_preview(still_batch_, trainer_.predict(still_batch_),
                              {config_.depth.input_height, config_.depth.input_width},
                              trainer_.target_size());
  }

  std::string skipped_summary() const override { return loader_->skipped_summary(); }

  std::string finish(std::int64_t iterations) override {
    if (!data_.validation) {
      write_model(iterations, {});
      return "";
    }
    if (!best_) validate(iterations);  // its model is gone
    const DepthScores& s = best_->scores;
    return fmt::format("\n  best    iteration {}: delta1 {:.4f}, rel {:.4f}, rms {:.4f} m, log10 {:.4f}",
                       best_->iteration, s.delta[0], s.rel, s.rms, s.log10);
  }

 private:
  void validate(std::int64_t iteration) {
    DepthScoreSum sum;
    for (std::int64_t i = 0; i < still_.batches_per_pass(); ++i) {
      still_.build(i, still_batch_);
      sum.add(trainer_.predict(still_batch_), still_batch_.depth);
    }
    const Validation found{iteration, sum.scores()};
    const MetricsLine line{{"iteration", iteration}, {"validation", to_json(found.scores)}};
    folder_->append_metrics(line.dump());
    if (!found.better_than(best_)) return;
    best_ = found;
    write_model(iteration, found);
  }

  void write_model(std::int64_t iteration, const std::optional<Validation>& validation) {
    nlohmann::ordered_json provenance{{"tool", fmt::format("chiaro {} train_engine", kVersion)},
                                      {"iterations", iteration},
                                      {"precision", config_.train.precision}};
    if (validation) provenance["validation"] = to_json(validation->scores);
    provenance["config"] = to_toml(without_folders(config_));
    write_weights(folder_->model_file(), trainer_.weights_file(provenance.dump()));
  }

  const TrainConfig& config_;
  DepthData data_;
  DepthTrainer trainer_;
  DepthBatchBuilder still_;  // batches of middle windows
  DepthBatch still_batch_;
  const RunFolder* folder_ = nullptr;
  std::optional<DepthLoader> loader_;
  std::optional<Validation> best_;
  double loss_ = 0;
};

}  // namespace

std::unique_ptr<TrainingTask> make_depth_task(const TaskSetup& setup) {
  return std::make_unique<DepthTask>(setup);
}

}  // namespace chiaro
