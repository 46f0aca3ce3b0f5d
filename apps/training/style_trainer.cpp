#include "apps/training/style_trainer.hpp"

#include <algorithm>
#include <filesystem>

#include "apps/common/model_path.hpp"
#include "engine/param_io.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {

namespace {

// Neighbors that learn at one rate are one range. The gap behind a parameter goes with it.
std::vector<ParamRange> ranges_of(const ParamStore& params, const OptimizerConfig& config) {
  std::vector<ParamRange> ranges;
  const auto entries = params.entries();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::int64_t end = i + 1 < entries.size() ? entries[i + 1].offset : params.slab_count();
    const bool norm = entries[i].name.ends_with(".gamma") || entries[i].name.ends_with(".beta");
    const ParamRange range{.first = entries[i].offset,
                           .count = end - entries[i].offset,
                           .lr_factor = norm ? config.norm_lr : 1,
                           .waits = norm ? 0 : config.norms_first};
    if (!ranges.empty() && ranges.back().lr_factor == range.lr_factor && ranges.back().waits == range.waits)
      ranges.back().count += range.count;
    else
      ranges.push_back(range);
  }
  return ranges;
}

// The file that a network begins with; none: random values. Notes why it is not the base.
std::optional<std::filesystem::path> start_file(const std::string& init, const TransformNet& network,
                                                std::vector<std::string>& notes) {
  if (init == kRandomWeights) return {};
  if (!init.empty())
    return init == kBaseModel ? find_model(init, shipped_models()) : std::filesystem::path(init);
  const std::filesystem::path base = shipped_models() / (std::string(kBaseModel) + ".h5");
  if (!std::filesystem::exists(base)) return {};
  const TransformNet found = plain_config(transform_net_from_json(read_weights(base).architecture, base));
  if (found == plain_config(network)) return base;
  notes.push_back(fmt::format("the network begins with random values: the base that comes with chiaro is {}",
                              to_json(found)));
  return {};
}

}  // namespace

StyleTrainer::StyleTrainer(Context& context, const TrainConfig& config, DType dtype,
                           SessionOptions session_options)
    : StyleTrainer(context, config, build_style_graph(context, config, dtype, GraphPurpose::Run), dtype,
                   session_options) {}

StyleTrainer::StyleTrainer(Context& context, const TrainConfig& config, StyleGraph step, DType dtype,
                           SessionOptions session_options)
    : context_(context),
      dtype_(dtype),
      network_(step.network),
      params_(std::move(step.params)),
      loss_networks_(std::move(step.loss_networks)),
      photo_(step.photo),
      generated_(step.generated),
      shares_(step.shares),
      notes_(std::move(step.notes)) {
  for (const auto& term : step.terms) terms_.push_back({term});
  if (config.optimizer.average > 0) params_->keep_averages();
  params_->allocate();
  session_options.backward = true;
  session_.emplace(std::move(step.graph), session_options);
  initialize(config);
  photos_.emplace(context_, session_->tensor(photo_));
  if (shares_ >= 0) {
    const TensorView shares = session_->tensor(shares_);
    staged_shares_.resize(static_cast<std::size_t>(shares.shape.count()));
    shares_feed_.emplace(context_, shares);
  }
  step_.emplace(
      context_, config, *session_, *params_, [this] { send(); }, ranges_of(*params_, config.optimizer));
}

void StyleTrainer::initialize(const TrainConfig& config) {
  if (const auto file = start_file(config.model.init, network_, notes_)) {
    const WeightsFile start = load_network(*file, "transform_net");
    load_parameters(*params_, start_parameters(start, network_, file->string()), file->string());
  } else {
    initialize_transform_net(*params_, network_, static_cast<std::uint64_t>(config.seed));
  }
  if (!params_->has_averages()) return;
  std::ranges::copy(params_->values(), params_->averages().begin());
  params_->values_changed();
}

std::vector<NamedTensor> StyleTrainer::parameters() const {
  return save_slab(*params_, params_->has_averages() ? params_->averages() : params_->values());
}

// Photos and the shares of the styles in them, for send().
void StyleTrainer::stage(std::span<const std::uint8_t> photos, std::int64_t step) {
  photos_->stage(photos);
  if (!shares_feed_) return;
  const std::int64_t rows = network_.rows(),
                     pictures = static_cast<std::int64_t>(staged_shares_.size()) / rows;
  std::ranges::fill(staged_shares_, 0.f);
  for (std::int64_t i = 0; i < pictures; ++i)
    staged_shares_[static_cast<std::size_t>(i * rows + ((step - 1) * pictures + i) % rows)] = 1;
  shares_feed_->stage(staged_shares_);
}

void StyleTrainer::send() {
  photos_->send();
  if (shares_feed_) shares_feed_->send();
}

const std::vector<StyleTrainer::Term>& StyleTrainer::forward(std::span<const std::uint8_t> photos,
                                                             std::int64_t step) {
  stage(photos, step);
  send();
  session_->forward();
  read_terms();
  return terms_;
}

void StyleTrainer::backward() {
  session_->backward();
  step_->optimizer().measure_gradient();
}

const std::vector<StyleTrainer::Term>& StyleTrainer::step(std::int64_t step,
                                                          std::span<const std::uint8_t> photos) {
  stage(photos, step);
  step_->run(step);
  read_terms();
  return terms_;
}

void StyleTrainer::read_terms() {
  for (auto& term : terms_) term.raw = session_->loss(term.name);
}

std::vector<double> StyleTrainer::style_losses() const {
  if (!shares_feed_) return {};
  const std::vector<double> losses = session_->loss_by_picture("style");
  if (losses.empty()) return {};
  const auto rows = static_cast<std::size_t>(network_.rows()), pictures = losses.size();
  std::vector<double> sums(rows), shares(rows);
  for (std::size_t i = 0; i < pictures; ++i)
    for (std::size_t row = 0; row < rows; ++row) {
      sums[row] += static_cast<double>(staged_shares_[i * rows + row]) * losses[i];
      shares[row] += static_cast<double>(staged_shares_[i * rows + row]);
    }
  // A picture's value is its part of the mean over the batch.
  for (std::size_t row = 0; row < rows; ++row) sums[row] *= static_cast<double>(pictures) / shares[row];
  return sums;
}

std::vector<double> StyleTrainer::gradient_norms(std::span<const std::uint8_t> photos, std::int64_t step,
                                                 const std::function<void()>& after_term) {
  std::vector<double> norms;
  for (const auto& term : terms_) {
    forward(photos, step);
    session_->backward(term.name, generated_);
    const TensorView gradient = session_->gradient(generated_);
    norms.push_back(norm_of(context_, gradient));
    if (after_term) after_term();
  }
  return norms;
}

std::vector<Image> StyleTrainer::stylize(std::span<const Image> photos, std::size_t style) {
  std::vector<float> row(static_cast<std::size_t>(network_.rows()));
  row.at(style) = 1;
  TransformModel model{.config = plain_config(network_),
                       .params = std::make_unique<ParamStore>(ParamStore::Kind::Frozen)};
  declare_transform_net(*model.params, model.config);
  model.params->allocate();
  load_parameters(*model.params, plain_parameters(parameters(), network_, row), "the network");
  std::optional<Stylizer> stylizer;
  Shape size;
  std::vector<Image> results;
  for (const Image& photo : photos) {
    if (const Shape needed{1, photo.height, photo.width, 3}; !stylizer || size != needed) {
      stylizer.emplace(context_, *model.params, model.config, photo.height, photo.width, dtype_);
      size = needed;
    }
    Image& result = results.emplace_back(photo.height, photo.width, 3);
    stylizer->run(photo.pixels.data(), result.pixels.data());
  }
  return results;
}

}  // namespace chiaro
