#include "apps/training/depth_loop.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/common/program.hpp"
#include "apps/training/depth_data.hpp"
#include "apps/training/depth_preview.hpp"
#include "apps/training/depth_trainer.hpp"
#include "apps/training/depth_validation.hpp"
#include "apps/training/optimizer.hpp"
#include "apps/training/progress.hpp"
#include "apps/training/report.hpp"
#include "apps/training/run_state.hpp"
#include "apps/training/signal_guard.hpp"
#include "engine/file_util.hpp"
#include "kernels/common/build_config.hpp"

namespace chiaro {

namespace {

DepthLoaderOptions loader_options(const TrainConfig& config, PictureSize target, std::int64_t first_batch) {
  DepthLoaderOptions options;
  options.batches = depth_batch_options(config, DepthUse::Train, target);
  options.first_batch = first_batch;
  options.workers = static_cast<int>(config.data.workers);
  return options;
}

class DepthRun {
 public:
  DepthRun(const TrainConfig& config, RunFolder folder, DepthTrainer& trainer, const DepthData& data,
           std::int64_t first_iteration)
      : config_(config),
        folder_(std::move(folder)),
        trainer_(trainer),
        loader_(data.train, loader_options(config, trainer.target_size(), first_iteration)),
        // Previews show pictures that the network is not trained on, where there are any.
        still_(data.validation ? data.validation : data.train,
               depth_batch_options(config, DepthUse::Validate, trainer.target_size())),
        validates_(data.validation != nullptr),
        best_(best_validation(folder_)),
        progress_(config.train.iterations, config.data.batch_size),
        done_(first_iteration),
        saved_(first_iteration) {}

  int execute() {
    const SignalGuard signals;
    while (done_ < config_.train.iterations && !stop_requested()) {
      iterate();
      const bool last = done_ == config_.train.iterations;
      // Before the checkpoint, so that a run that goes on from it has the validation and its model.
      if (validates_ && (last || due(config_.depth.validate_every))) validate();
      if (due(config_.train.checkpoint_every)) save_checkpoint();
      if (due(config_.train.preview_every) || (last && config_.train.preview_every > 0)) write_preview();
    }
    progress_.finish_line();
    if (saved_ != done_) save_checkpoint();
    if (const std::string bad = loader_.skipped_summary(); !bad.empty()) fmt::print(stderr, "{}\n", bad);
    if (done_ < config_.train.iterations) {
      write_report(folder_);
      fmt::print("stopped after iteration {}; continue with: train_engine --resume {}\n", done_,
                 folder_.path().string());
      return 130;
    }
    if (validates_ && !best_) validate();  // its model is gone
    if (!validates_) write_model({});
    write_report(folder_);
    fmt::print("trained {} iterations\n  model   {}{}\n  report  {}\n", done_, folder_.model_file().string(),
               best_text(), folder_.report_file().string());
    return 0;
  }

 private:
  bool due(std::int64_t every) const { return every > 0 && done_ % every == 0; }

  void iterate() {
    const DepthBatch& batch = loader_.next();
    const std::int64_t iteration = done_ + 1;
    const double loss = trainer_.forward(batch);
    if (!std::isfinite(loss))
      stop_run(iteration, fmt::format("the depth loss is {}", std::isnan(loss) ? "NaN" : "infinite"));
    trainer_.backward();
    const double gradient_norm = trainer_.parameter_gradient_norm();
    if (!std::isfinite(gradient_norm)) stop_run(iteration, "the gradient of the parameters is not finite");
    trainer_.update(iteration);
    done_ = iteration;
    progress_.note(done_);
    log(loss, gradient_norm);
  }

  [[noreturn]] void stop_run(std::int64_t iteration, const std::string& reason) {
    progress_.finish_line();
    write_report(folder_);
    throw stopped_run(folder_, iteration, saved_, reason, "optimizer.lr");
  }

  void log(double loss, double gradient_norm) {
    const std::int64_t every = config_.train.gradient_norms_every;
    const bool with_norm = every > 0 && (done_ == 1 || done_ % every == 0);
    nlohmann::ordered_json line{{"iteration", done_},
                                {"loss", loss},
                                {"lr", learning_rate(config_.optimizer, done_)},
                                {"images_per_s", progress_.items_per_second()}};
    if (with_norm) line["parameter_gradient_norm"] = gradient_norm;
    if (with_norm || due(config_.train.log_every)) folder_.append_metrics(line.dump());
    std::string text =
        fmt::format("{}/{}  {:.2f} images/s  {} left  loss {:.4f}", done_, config_.train.iterations,
                    progress_.items_per_second(), progress_.remaining(), loss);
    if (best_) text += fmt::format("  best delta1 {:.3f}", best_->scores.delta[0]);
    progress_.show(text, done_ == config_.train.iterations);
  }

  void validate() {
    DepthScoreSum sum;
    for (std::int64_t i = 0; i < still_.batches_per_pass(); ++i) {
      still_.build(i, still_batch_);
      sum.add(trainer_.predict(still_batch_), still_batch_.depth);
    }
    const Validation found{done_, sum.scores()};
    const nlohmann::ordered_json line{{"iteration", done_}, {"validation", to_json(found.scores)}};
    folder_.append_metrics(line.dump());
    if (found.better_than(best_)) {
      best_ = found;
      write_model(found);
    }
    progress_.pause();
  }

  void save_checkpoint() {
    try {
      write_checkpoint(folder_.checkpoint_file(done_),
                       {.iteration = done_,
                        .threads = trainer_.context().threads(),
                        .precision = name_of(trainer_.dtype()),
                        .config = to_toml(config_)},
                       trainer_.params(), &trainer_.statistics());
    } catch (const Error& error) {
      progress_.finish_line();
      throw Error("iteration {}: {}; {}", done_, error.what(), last_checkpoint(folder_, saved_));
    }
    folder_.prune_checkpoints(done_, config_.train.keep_checkpoints);
    saved_ = done_;
    progress_.pause();
  }

  void write_preview() {
    still_.build(0, still_batch_);
    const Image preview =
        draw_depth_preview(still_batch_, trainer_.predict(still_batch_),
                           {config_.depth.input_height, config_.depth.input_width}, trainer_.target_size());
    if (preview.height > 0) encode_image(folder_.preview_file(done_).string(), preview);
    write_report(folder_);
    progress_.pause();
  }

  void write_model(const std::optional<Validation>& validation) {
    nlohmann::ordered_json provenance{{"tool", fmt::format("chiaro {} train_engine", kVersion)},
                                      {"iterations", done_},
                                      {"precision", name_of(trainer_.dtype())}};
    if (validation) provenance["validation"] = to_json(validation->scores);
    provenance["config"] = to_toml(without_folders(config_));
    write_weights(folder_.model_file(), trainer_.weights_file(provenance.dump()));
  }

  std::string best_text() const {
    if (!best_) return "";
    const DepthScores& s = best_->scores;
    return fmt::format("\n  best    iteration {}: delta1 {:.4f}, rel {:.4f}, rms {:.4f} m, log10 {:.4f}",
                       best_->iteration, s.delta[0], s.rel, s.rms, s.log10);
  }

  const TrainConfig& config_;
  RunFolder folder_;
  DepthTrainer& trainer_;
  DepthLoader loader_;
  DepthBatchBuilder still_;  // batches of middle windows
  DepthBatch still_batch_;
  bool validates_;
  std::optional<Validation> best_;
  Progress progress_;
  std::int64_t done_, saved_;  // iterations: finished, in the newest checkpoint
};

void announce(DepthTrainer& trainer, const DepthData& data) {
  fmt::print(
      stderr,
      "{}, precision {}; {} pairs to train on, {} to validate; {} parameters; {:.0f} MiB planned for a "
      "step\n",
      trainer.context().description(), name_of(trainer.dtype()), data.train->count(),
      data.validation ? data.validation->count() : 0, trainer.params().parameter_count(),
      static_cast<double>(trainer.session().plan().memory.arena_bytes) / (1 << 20));
}

}  // namespace

int train_depth(Context& context, const TrainConfig& config, const TrainOptions& options) {
  const DType dtype = choose_precision(context, config.train.precision);
  TrainConfig resolved = config;
  resolved.train.precision = name_of(dtype);
  RunFolder::require_new(resolved.train.out);
  const DepthData data = open_depth_data(resolved);
  DepthTrainer trainer(context, resolved, dtype, options.session);
  RunFolder folder = RunFolder::create(resolved);
  announce(trainer, data);
  return DepthRun(resolved, std::move(folder), trainer, data, 0).execute();
}

int resume_depth(Context& context, const std::filesystem::path& run,
                 const std::vector<std::string>& overrides, const TrainOptions& options) {
  require_same_results(overrides);
  RunFolder folder = RunFolder::open(run);
  TrainConfig config = load_config(folder.config_file(), overrides);
  config.train.out = folder.path().string();
  const DType dtype = choose_precision(context, config.train.precision);
  const DepthData data = open_depth_data(config);
  TrainConfig start = config;
  if (!folder.checkpoints().empty()) {  // no longer needed, and perhaps gone
    start.model.init.clear();
    start.depth.encoder_weights.clear();
  }
  DepthTrainer trainer(context, start, dtype, options.session);
  const auto info = restore(folder, trainer.params(), &trainer.statistics());
  trainer.values_changed();
  const std::int64_t done = info ? info->iteration : 0;
  require_not_over(config, folder, done);
  note_threads(context, info);
  folder.truncate_metrics(done);
  write_text(folder.config_file(), to_toml(config));
  announce(trainer, data);
  announce_resume(info);
  return DepthRun(config, std::move(folder), trainer, data, done).execute();
}

}  // namespace chiaro
