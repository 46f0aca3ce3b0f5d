#include "apps/training/train_loop.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/common/program.hpp"
#include "apps/training/balance.hpp"
#include "apps/training/progress.hpp"
#include "apps/training/report.hpp"
#include "apps/training/run_folder.hpp"
#include "apps/training/run_state.hpp"
#include "apps/training/signal_guard.hpp"
#include "apps/training/style_trainer.hpp"
#include "engine/checkpoint.hpp"
#include "engine/data/loader.hpp"
#include "engine/file_util.hpp"
#include "kernels/common/build_config.hpp"

namespace chiaro {

namespace {

LoaderOptions loader_options(const TrainConfig& config, std::int64_t first_batch) {
  LoaderOptions options;
  options.batches = batch_options(config);
  options.first_batch = first_batch;
  options.workers = static_cast<int>(config.data.workers);
  return options;
}

// Up to four photos, the same for the whole run.
std::vector<Image> preview_photos(const PhotoSource& source, const TrainConfig& config) {
  constexpr std::size_t kCount = 4;
  std::vector<Image> photos;
  const std::int64_t stride = std::max<std::int64_t>(1, source.count() / static_cast<std::int64_t>(kCount));
  for (std::int64_t i = 0; i < source.count() && photos.size() < kCount; i += stride) {
    try {
      const Image photo = fit_short_side(source.read(i), config.data.image_size, source.name(i));
      photos.push_back(center_crop(photo, config.data.image_size));
    } catch (const Error&) {
      // A photo that cannot be read is reported by the loader when training meets it.
    }
  }
  return photos;
}

class Run {
 public:
  Run(Context& context, const TrainConfig& config, RunFolder folder, StyleTrainer& trainer,
      std::shared_ptr<const PhotoSource> source, std::int64_t first_iteration)
      : context_(context),
        config_(config),
        folder_(std::move(folder)),
        trainer_(trainer),
        source_(std::move(source)),
        loader_(source_, loader_options(config, first_iteration)),
        progress_(config.train.iterations, config.data.batch_size),
        done_(first_iteration),
        saved_(first_iteration) {}

  int execute() {
    const SignalGuard signals;
    const auto previews = preview_photos(*source_, config_);
    while (done_ < config_.train.iterations && !stop_requested()) {
      iterate();
      if (due(config_.train.checkpoint_every)) save_checkpoint();
      if (due(config_.train.preview_every)) {
        write_preview(previews);
        progress_.pause();
      }
    }
    progress_.finish_line();
    if (saved_ != done_) save_checkpoint();
    if (const std::string bad = loader_.bad_photo_summary(); !bad.empty()) fmt::print(stderr, "{}\n", bad);
    if (done_ < config_.train.iterations) {
      write_report(folder_);
      fmt::print("stopped after iteration {}; continue with: train_engine --resume {}\n", done_,
                 folder_.path().string());
      return 130;
    }
    if (config_.train.preview_every > 0 && previewed_ != done_) write_preview(previews);
    write_model();
    write_report(folder_);
    fmt::print("trained {} iterations\n  model   {}\n  report  {}\n", done_, folder_.model_file().string(),
               folder_.report_file().string());
    return 0;
  }

 private:
  bool due(std::int64_t every) const { return every > 0 && done_ % every == 0; }

  void iterate() {
    const Batch& batch = loader_.next();
    const std::int64_t iteration = done_ + 1;
    nlohmann::ordered_json line{{"iteration", iteration}};
    const std::int64_t every = config_.train.gradient_norms_every;
    if (every > 0 && (iteration == 1 || iteration % every == 0)) {
      const auto norms = trainer_.gradient_norms(batch.pixels);
      const auto& terms = trainer_.forward(batch.pixels);
      for (std::size_t i = 0; i < terms.size(); ++i) line["gradient_norms"][terms[i].name] = norms[i];
    } else {
      trainer_.forward(batch.pixels);
    }
    const auto& terms = trainer_.terms();
    for (const auto& term : terms)
      if (!std::isfinite(term.raw))
        stop_run(iteration,
                 fmt::format("the {} loss is {}", term.name, std::isnan(term.raw) ? "NaN" : "infinite"),
                 fmt::format("optimizer.lr or loss.{}.weight", term.name));
    trainer_.backward();
    const double gradient_norm = trainer_.parameter_gradient_norm();
    if (!std::isfinite(gradient_norm))
      stop_run(iteration, "the gradient of the parameters is not finite", "optimizer.lr");
    if (line.contains("gradient_norms")) line["parameter_gradient_norm"] = gradient_norm;
    trainer_.update(iteration);
    done_ = iteration;
    progress_.note(done_);
    log(terms, line);
  }

  [[noreturn]] void stop_run(std::int64_t iteration, const std::string& reason, const std::string& remedy) {
    progress_.finish_line();
    write_report(folder_);
    throw stopped_run(folder_, iteration, saved_, reason, remedy);
  }

  void log(const std::vector<StyleTrainer::Term>& terms, nlohmann::ordered_json& line) {
    double total = 0;
    std::string text = fmt::format("{}/{}  {:.2f} images/s  {} left ", done_, config_.train.iterations,
                                   progress_.items_per_second(), progress_.remaining());
    for (const auto& term : terms) {
      line["raw"][term.name] = term.raw;
      line["weighted"][term.name] = term.weighted();
      total += term.weighted();
      text += fmt::format(" {} {:.4g} ", term.name, term.weighted());
    }
    line["total"] = total;
    line["images_per_s"] = progress_.items_per_second();
    if (due(config_.train.log_every) || line.contains("gradient_norms")) folder_.append_metrics(line.dump());
    progress_.show(text + fmt::format(" total {:.4g}", total), done_ == config_.train.iterations);
  }

  void save_checkpoint() {
    try {
      write_checkpoint(folder_.checkpoint_file(done_),
                       {.iteration = done_,
                        .threads = context_.threads(),
                        .precision = name_of(trainer_.dtype()),
                        .config = to_toml(config_)},
                       trainer_.params());
    } catch (const Error& error) {
      progress_.finish_line();
      throw Error("iteration {}: {}; {}", done_, error.what(), last_checkpoint(folder_, saved_));
    }
    folder_.prune_checkpoints(done_, config_.train.keep_checkpoints);
    saved_ = done_;
  }

  void write_preview(const std::vector<Image>& photos) {
    if (photos.empty()) return;
    std::vector<Image> stylized;
    for (const auto& photo : photos) stylized.push_back(trainer_.stylize(photo));
    encode_image(folder_.preview_file(done_).string(), make_grid({photos, stylized}));
    previewed_ = done_;
    write_report(folder_);
  }

  void write_model() {
    const nlohmann::ordered_json provenance{{"tool", fmt::format("chiaro {} train_engine", kVersion)},
                                            {"iterations", done_},
                                            {"precision", name_of(trainer_.dtype())},
                                            {"config", to_toml(without_folders(config_))}};
    write_weights(folder_.model_file(),
                  transform_weights_file(trainer_.params(), trainer_.network(), provenance.dump()));
  }

  Context& context_;
  const TrainConfig& config_;
  RunFolder folder_;
  StyleTrainer& trainer_;
  std::shared_ptr<const PhotoSource> source_;
  Loader loader_;
  Progress progress_;
  std::int64_t done_, saved_, previewed_ = -1;  // iterations: finished, in the newest checkpoint and preview
};

void announce(const StyleTrainer& trainer, const Context& context, const PhotoSource& source,
              std::int64_t parameters, std::int64_t arena_bytes) {
  fmt::print(stderr, "{}, precision {}; {} photos; {} parameters; {:.0f} MiB planned for a step\n",
             context.description(), name_of(trainer.dtype()), source.count(), parameters,
             static_cast<double>(arena_bytes) / (1 << 20));
  for (const auto& note : trainer.notes()) fmt::print(stderr, "note: {}\n", note);
}

}  // namespace

BatchOptions batch_options(const TrainConfig& config) {
  BatchOptions options;
  options.image_size = config.data.image_size;
  options.batch_size = config.data.batch_size;
  options.crop = config.data.crop == "random"   ? CropMode::Random
                 : config.data.crop == "center" ? CropMode::Center
                                                : CropMode::None;
  options.shuffle = config.data.shuffle;
  options.seed = static_cast<std::uint64_t>(config.seed);
  options.cache_bytes = config.data.cache_mb << 20;
  return options;
}

int train_style(Context& context, const TrainConfig& config, const TrainOptions& options) {
  const DType dtype = choose_precision(context, config.train.precision);
  TrainConfig resolved = config;
  resolved.train.precision = name_of(dtype);
  const std::shared_ptr<const PhotoSource> source = open_photo_source(resolved.data.train);
  if (resolved.loss.balance == "gradient") {
    RunFolder::require_new(resolved.train.out);
    resolved = balance_losses(context, resolved, source, dtype, options.session);
    fmt::print(stderr, "weights from shares: style {:.4g}, content {:.4g}, depth {:.4g}, tv {:.4g}\n",
               resolved.loss.style.weight, resolved.loss.content.weight, resolved.loss.depth.weight,
               resolved.loss.tv_weight);
  }
  StyleTrainer trainer(context, resolved, dtype, options.session);
  RunFolder folder = RunFolder::create(resolved);
  announce(trainer, context, *source, trainer.params().parameter_count(),
           trainer.session().plan().memory.arena_bytes);
  return Run(context, resolved, std::move(folder), trainer, source, 0).execute();
}

int resume_style(Context& context, const std::filesystem::path& run,
                 const std::vector<std::string>& overrides, const TrainOptions& options) {
  require_same_results(overrides);
  RunFolder folder = RunFolder::open(run);
  TrainConfig config = load_config(folder.config_file(), overrides);
  config.train.out = folder.path().string();
  const DType dtype = choose_precision(context, config.train.precision);
  const std::shared_ptr<const PhotoSource> source = open_photo_source(config.data.train);
  TrainConfig start = config;
  if (!folder.checkpoints().empty()) start.model.init.clear();  // no longer needed, and perhaps gone
  StyleTrainer trainer(context, start, dtype, options.session);

  const auto info = restore(folder, trainer.params(), nullptr);
  const std::int64_t done = info ? info->iteration : 0;
  require_not_over(config, folder, done);
  note_threads(context, info);
  folder.truncate_metrics(done);
  write_text(folder.config_file(), to_toml(config));
  announce(trainer, context, *source, trainer.params().parameter_count(),
           trainer.session().plan().memory.arena_bytes);
  announce_resume(info);
  return Run(context, config, std::move(folder), trainer, source, done).execute();
}

}  // namespace chiaro
