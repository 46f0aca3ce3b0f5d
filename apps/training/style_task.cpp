#include "apps/training/training_task.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "apps/training/run_folder.hpp"
#include "apps/training/style_trainer.hpp"
#include "kernels/base/build_config.hpp"

namespace chiaro {

namespace {

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

// The checkpoint has what model.init gave.
TrainConfig initial_values(const TaskSetup& setup) {
  TrainConfig config = setup.config;
  if (setup.from_checkpoint) config.model.init = kRandomWeights;
  return config;
}

class StyleTask : public TrainingTask {
 public:
  explicit StyleTask(const TaskSetup& setup)
      : config_(setup.config),
        source_(open_photo_source(config_.data.train)),
        trainer_(setup.context, initial_values(setup), setup.dtype, setup.session) {}

  ParamStore& params() override { return trainer_.params(); }
  std::int64_t arena_bytes() override { return trainer_.session().plan().memory.arena_bytes; }
  std::string data_text() const override { return fmt::format("{} photos", source_->count()); }
  std::vector<std::string> notes() const override { return trainer_.notes(); }

  std::vector<std::string> data_names() const override { return names_of(*source_, config_.data.train); }

  void begin(const RunFolder& folder, std::int64_t done) override {
    folder_ = &folder;
    loader_.emplace(source_, loader_options(config_, done));
    photos_ = preview_photos(*source_, config_);
  }

  void step(std::int64_t iteration, bool with_gradient_norms, MetricsLine& line) override {
    const Batch& batch = loader_->next();
    std::vector<double> norms;
    if (with_gradient_norms) norms = trainer_.gradient_norms(batch.pixels, iteration);
    const auto& terms = trainer_.step(iteration, batch.pixels);
    for (std::size_t i = 0; i < norms.size(); ++i) line["gradient_norms"][terms[i].name] = norms[i];
    for (const auto& term : terms)
      require_finite_loss(term.name, term.raw, fmt::format("optimizer.lr or loss.{}.weight", term.name));
    const double gradient_norm = trainer_.parameter_gradient_norm();
    require_finite_gradient(gradient_norm);
    if (with_gradient_norms) line["parameter_gradient_norm"] = gradient_norm;
    for (const auto& term : terms) {
      line["raw"][term.name] = term.raw;
      line["weighted"][term.name] = term.weighted();
    }
    const std::vector<double> by_style = trainer_.style_losses();
    for (std::size_t s = 0; s < by_style.size(); ++s)
      if (!std::isnan(by_style[s])) line["style_losses"][trainer_.network().styles[s]] = by_style[s];
    line["total"] = total();
  }

  std::string progress_text() const override {
    std::string text;
    for (const auto& term : trainer_.terms()) text += fmt::format("  {} {:.4g}", term.name, term.weighted());
    return text + fmt::format("  total {:.4g}", total());
  }

  Image preview() override {
    if (photos_.empty()) return {};
    std::vector<std::vector<Image>> rows{photos_};
    for (std::size_t style = 0; style < trainer_.network().styles.size(); ++style)
      rows.push_back(trainer_.stylize(photos_, style));
    return make_grid(rows);
  }

  std::string skipped_summary() const override { return loader_->bad_photo_summary(); }

  std::string finish(std::int64_t iterations) override {
    const nlohmann::ordered_json provenance{{"tool", fmt::format("chiaro {} train_engine", kVersion)},
                                            {"iterations", iterations},
                                            {"precision", config_.train.precision},
                                            {"config", to_toml(without_folders(config_))}};
    write_weights(folder_->model_file(),
                  transform_weights_file(trainer_.parameters(), trainer_.network(), provenance.dump()));
    return "";
  }

 private:
  double total() const {
    double sum = 0;
    for (const auto& term : trainer_.terms()) sum += term.weighted();
    return sum;
  }

  const TrainConfig& config_;
  std::shared_ptr<const PhotoSource> source_;
  StyleTrainer trainer_;
  const RunFolder* folder_ = nullptr;
  std::optional<Loader> loader_;
  std::vector<Image> photos_;
};

}  // namespace

std::unique_ptr<TrainingTask> make_style_task(const TaskSetup& setup) {
  return std::make_unique<StyleTask>(setup);
}

}  // namespace chiaro
