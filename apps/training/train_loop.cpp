#include "apps/training/train_loop.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>

#include "apps/common/program.hpp"
#include "apps/training/progress.hpp"
#include "apps/training/report.hpp"
#include "apps/training/run_folder.hpp"
#include "apps/training/style_trainer.hpp"
#include "engine/checkpoint.hpp"
#include "engine/data/loader.hpp"
#include "engine/file_util.hpp"
#include "kernels/common/build_config.hpp"

namespace chiaro {

namespace {

volatile std::sig_atomic_t stop_signal = 0;

void note_signal(int signal) {
  if (stop_signal) std::_Exit(128 + signal);  // asked twice: now
  stop_signal = signal;
}

// Ctrl-C and termination end the run after the iteration at hand.
class SignalGuard {
 public:
  SignalGuard() {
    stop_signal = 0;
    for (std::size_t i = 0; i < kSignals.size(); ++i) before_[i] = std::signal(kSignals[i], note_signal);
  }
  ~SignalGuard() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) std::signal(kSignals[i], before_[i]);
  }

 private:
  static constexpr std::array<int, 2> kSignals{SIGINT, SIGTERM};
  std::array<void (*)(int), 2> before_;
};

LoaderOptions loader_options(const TrainConfig& config, std::int64_t first_batch) {
  LoaderOptions options;
  options.batches.image_size = config.data.image_size;
  options.batches.batch_size = config.data.batch_size;
  options.batches.crop = config.data.crop == "random"   ? CropMode::Random
                         : config.data.crop == "center" ? CropMode::Center
                                                        : CropMode::None;
  options.batches.shuffle = config.data.shuffle;
  options.batches.seed = static_cast<std::uint64_t>(config.seed);
  options.batches.cache_bytes = config.data.cache_mb << 20;
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
    while (done_ < config_.train.iterations && !stop_signal) {
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
      fmt::print("stopped after iteration {}; continue with: train_engine --resume {}\n", done_,
                 folder_.path().string());
      return 130;
    }
    write_preview(previews);
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
    require_finite(terms, iteration);
    trainer_.backward();
    if (line.contains("gradient_norms")) line["parameter_gradient_norm"] = trainer_.parameter_gradient_norm();
    trainer_.update(iteration);
    done_ = iteration;
    progress_.note(done_);
    log(terms, line);
  }

  void require_finite(const std::vector<StyleTrainer::Term>& terms, std::int64_t iteration) {
    for (const auto& term : terms) {
      if (std::isfinite(term.raw)) continue;
      progress_.finish_line();
      const auto checkpoints = folder_.checkpoints();
      throw Error(
          "iteration {}: the {} loss is {}; the run is stopped, {}. A lower optimizer.lr or loss.{}.weight "
          "may help",
          iteration, term.name, term.raw,
          checkpoints.empty() ? std::string("there is no checkpoint yet")
                              : "the last good checkpoint is " + checkpoints.back().string(),
          term.name);
    }
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
    write_checkpoint(folder_.checkpoint_file(done_),
                     {.iteration = done_,
                      .threads = context_.threads(),
                      .precision = name_of(trainer_.dtype()),
                      .config = to_toml(config_)},
                     trainer_.params());
    folder_.prune_checkpoints(config_.train.keep_checkpoints);
    saved_ = done_;
  }

  void write_preview(const std::vector<Image>& photos) {
    if (photos.empty()) return;
    std::vector<Image> stylized;
    for (const auto& photo : photos) stylized.push_back(trainer_.stylize(photo));
    encode_image(folder_.preview_file(done_).string(), make_grid({photos, stylized}));
    write_report(folder_);
  }

  void write_model() {
    const nlohmann::ordered_json provenance{
        {"tool", fmt::format("chiaro {} train_engine", kVersion)},
        {"iterations", done_},
        {"precision", name_of(trainer_.dtype())},
        {"style", std::filesystem::path(config_.style.image).filename().string()},
        {"config", to_toml(config_)}};
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
  std::int64_t done_, saved_;
};

void announce(const StyleTrainer& trainer, const Context& context, const PhotoSource& source,
              std::int64_t parameters, std::int64_t arena_bytes) {
  fmt::print(stderr, "{}, precision {}; {} photos; {} parameters; {:.0f} MiB planned for a step\n",
             context.description(), name_of(trainer.dtype()), source.count(), parameters,
             static_cast<double>(arena_bytes) / (1 << 20));
  for (const auto& note : trainer.notes()) fmt::print(stderr, "note: {}\n", note);
}

// What a resumed run may do differently without changing its results.
bool may_change(const std::string& override_text) {
  static constexpr std::array<const char*, 8> kKeys{
      "train.iterations", "train.checkpoint_every", "train.keep_checkpoints",     "train.preview_every",
      "train.log_every",  "data.workers",           "train.gradient_norms_every", "data.cache_mb"};
  const std::string key = override_text.substr(0, override_text.find('='));
  return std::any_of(kKeys.begin(), kKeys.end(), [&](const char* k) { return key == k; });
}

}  // namespace

int train_style(Context& context, const TrainConfig& config, const TrainOptions& options) {
  const DType dtype = choose_precision(context, config.train.precision);
  TrainConfig resolved = config;
  resolved.train.precision = name_of(dtype);
  const std::shared_ptr<const PhotoSource> source = open_photo_source(resolved.data.train);
  StyleTrainer trainer(context, resolved, dtype, options.session);
  RunFolder folder = RunFolder::create(resolved);
  announce(trainer, context, *source, trainer.params().parameter_count(),
           trainer.session().plan().memory.arena_bytes);
  return Run(context, resolved, std::move(folder), trainer, source, 0).execute();
}

int resume_style(Context& context, const std::filesystem::path& run,
                 const std::vector<std::string>& overrides, const TrainOptions& options) {
  for (const auto& text : overrides)
    if (!may_change(text))
      throw Error(
          "--resume with --set {}: this would change the run's results; start a new run, for example from "
          "this one's model with model.init",
          text);
  RunFolder folder = RunFolder::open(run);
  TrainConfig config = load_config(folder.config_file(), overrides);
  config.train.out = run.string();
  const DType dtype = choose_precision(context, config.train.precision);
  const std::shared_ptr<const PhotoSource> source = open_photo_source(config.data.train);
  StyleTrainer trainer(context, config, dtype, options.session);

  auto checkpoints = folder.checkpoints();
  if (checkpoints.empty()) throw Error("{}: has no checkpoint to resume from", run.string());
  CheckpointInfo info;
  for (;; checkpoints.pop_back()) {
    if (checkpoints.empty()) throw Error("{}: none of its checkpoints can be read", run.string());
    try {
      info = read_checkpoint(checkpoints.back(), trainer.params());
      break;
    } catch (const Error& e) {
      fmt::print(stderr, "{}; trying the one before\n", e.what());
    }
  }
  if (info.threads != context.threads())
    fmt::print(stderr,
               "note: the run used {} threads, this machine has {}; the last bits of the results will differ "
               "(--threads {} keeps them)\n",
               info.threads, context.threads(), info.threads);
  folder.truncate_metrics(info.iteration);
  write_text(folder.config_file(), to_toml(config));
  announce(trainer, context, *source, trainer.params().parameter_count(),
           trainer.session().plan().memory.arena_bytes);
  fmt::print(stderr, "resuming after iteration {}\n", info.iteration);
  return Run(context, config, std::move(folder), trainer, source, info.iteration).execute();
}

}  // namespace chiaro
