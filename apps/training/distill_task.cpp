#include "apps/training/training_task.hpp"

#include <optional>

#include "apps/training/distill_trainer.hpp"
#include "apps/training/optimizer.hpp"
#include "apps/training/run_folder.hpp"
#include "kernels/base/blocks.hpp"
#include "kernels/base/build_config.hpp"

namespace chiaro {

namespace {

std::shared_ptr<const PhotoSource> open_validation(const TrainConfig& config) {
  if (config.distill.validation.empty()) return nullptr;
  return open_photo_source(config.distill.validation);
}

BatchOptions validation_batches(const TrainConfig& config) {
  BatchOptions options = batch_options(config);
  options.shuffle = false;
  options.recolor = 0;
  if (options.crop == CropMode::Random) options.crop = CropMode::Center;
  return options;
}

MetricsLine by_layer(const std::vector<std::string>& layers, const std::vector<double>& errors) {
  MetricsLine json;
  for (std::size_t i = 0; i < errors.size(); ++i) json[layers[i]] = errors[i];
  return json;
}

void add(std::vector<double>& sum, const std::vector<double>& errors, double factor) {
  sum.resize(errors.size());
  for (std::size_t i = 0; i < errors.size(); ++i) sum[i] += factor * errors[i];
}

// The checkpoint has what model.init gave.
TrainConfig start_of(const TaskSetup& setup) {
  TrainConfig config = setup.config;
  if (setup.from_checkpoint) config.model.init.clear();
  return config;
}

class DistillTask : public TrainingTask {
 public:
  explicit DistillTask(const TaskSetup& setup)
      : config_(setup.config),
        source_(open_photo_source(config_.data.train)),
        validation_(open_validation(config_)),
        trainer_(setup.context, start_of(setup), setup.dtype, setup.session,
                 setup.from_checkpoint ? nullptr : source_) {}

  ParamStore& params() override { return trainer_.params(); }
  std::int64_t arena_bytes() override { return trainer_.session().plan().memory.arena_bytes; }
  std::string data_text() const override {
    return fmt::format("{} photos to train on, {} to validate", source_->count(),
                       validation_ ? validation_->count() : 0);
  }

  std::vector<std::string> data_names() const override { return names_of(*source_, config_.data.train); }

  void begin(const RunFolder& folder, std::int64_t done) override {
    folder_ = &folder;
    loader_.emplace(source_, loader_options(config_, done));
    if (validation_) still_.emplace(validation_, validation_batches(config_));
  }

  void step(std::int64_t iteration, bool with_gradient_norms, MetricsLine& line) override {
    errors_ = trainer_.step(iteration, loader_->next().pixels);
    require_finite_loss("feature", feature(), "optimizer.lr or distill.feature_weight");
    require_finite_loss("gram", gram(), "optimizer.lr or distill.gram_weight");
    const double gradient_norm = trainer_.parameter_gradient_norm();
    require_finite_gradient(gradient_norm);
    if (with_gradient_norms) line["parameter_gradient_norm"] = gradient_norm;
    if (!errors_.feature.empty()) {
      line["raw"]["feature"] = feature();
      line["weighted"]["feature"] = config_.distill.feature_weight * feature();
    }
    if (!errors_.gram.empty()) {
      line["raw"]["gram"] = gram();
      line["weighted"]["gram"] = config_.distill.gram_weight * gram();
    }
    line["total"] = config_.distill.feature_weight * feature() + config_.distill.gram_weight * gram();
    line["lr"] = learning_rate(config_.optimizer, iteration, config_.train.iterations);
  }

  std::string progress_text() const override {
    return fmt::format("  feature {:.4f}  gram {:.4f}", feature(), gram());
  }

  bool after_step(std::int64_t iteration, bool last) override {
    const std::int64_t every = config_.distill.validate_every;
    if (!still_ || !(last || (every > 0 && iteration % every == 0))) return false;
    validate();
    validated_ = iteration;
    folder_->append_metrics(MetricsLine{{"iteration", iteration}, {"validation", held_out_line()}}.dump());
    return true;
  }

  std::string skipped_summary() const override { return loader_->bad_photo_summary(); }

  std::string finish(std::int64_t iterations) override {
    MetricsLine provenance{{"tool", fmt::format("chiaro {} train_engine", kVersion)},
                           {"iterations", iterations},
                           {"precision", config_.train.precision}};
    std::string text;
    if (still_) {
      if (validated_ != iterations) validate();
      provenance["validation"] = held_out_line();
      text = fmt::format("\n  errors  feature {:.4f}, gram {:.4f}, on photos held out",
                         mean_error(held_out_.feature), mean_error(held_out_.gram));
    }
    provenance["config"] = to_toml(without_folders(config_));
    write_weights(folder_->model_file(), trainer_.weights_file(provenance.dump()));
    return text;
  }

 private:
  double feature() const { return mean_error(errors_.feature); }
  double gram() const { return mean_error(errors_.gram); }

  void validate() {
    const std::int64_t batches = divide_up(validation_->count(), config_.data.batch_size);
    held_out_ = {};
    Batch batch;
    for (std::int64_t i = 0; i < batches; ++i) {
      still_->build(i, batch);
      const DistillErrors& found = trainer_.forward(batch.pixels);
      add(held_out_.feature, found.feature, 1 / static_cast<double>(batches));
      add(held_out_.gram, found.gram, 1 / static_cast<double>(batches));
    }
  }

  MetricsLine held_out_line() const {
    MetricsLine json;
    if (!held_out_.feature.empty()) json["feature"] = by_layer(trainer_.layers(), held_out_.feature);
    if (!held_out_.gram.empty()) json["gram"] = by_layer(trainer_.layers(), held_out_.gram);
    return json;
  }

  const TrainConfig& config_;
  std::shared_ptr<const PhotoSource> source_, validation_;
  DistillTrainer trainer_;
  const RunFolder* folder_ = nullptr;
  std::optional<Loader> loader_;
  std::optional<BatchBuilder> still_;  // of the photos held out
  DistillErrors errors_, held_out_;    // of the last step, of the last validation
  std::int64_t validated_ = -1;        // iteration of that validation
};

}  // namespace

std::unique_ptr<TrainingTask> make_distill_task(const TaskSetup& setup) {
  return std::make_unique<DistillTask>(setup);
}

}  // namespace chiaro
