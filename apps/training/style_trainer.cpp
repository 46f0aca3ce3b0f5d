#include "apps/training/style_trainer.hpp"

#include "engine/param_io.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {

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
      notes_(std::move(step.notes)) {
  for (const auto& term : step.terms) terms_.push_back({term});
  params_->allocate();
  session_options.backward = true;
  session_.emplace(std::move(step.graph), session_options);
  initialize(config);
  photos_.emplace(context_, session_->tensor(photo_));
  step_.emplace(context_, config.optimizer, *session_, *params_, [this] { photos_->send(); });
}

void StyleTrainer::initialize(const TrainConfig& config) {
  if (config.model.init.empty()) {
    initialize_transform_net(*params_, network_, static_cast<std::uint64_t>(config.seed));
    return;
  }
  const WeightsFile start = load_network(config.model.init, "transform_net");
  if (const auto found = transform_net_from_json(start.architecture, config.model.init); found != network_)
    throw Error("{}: holds a transform network {}, but the configuration's [model] is {}", config.model.init,
                transform_net_to_json(found), transform_net_to_json(network_));
  load_parameters(*params_, start.parameters, config.model.init);
}

const std::vector<StyleTrainer::Term>& StyleTrainer::forward(std::span<const std::uint8_t> photos) {
  photos_->stage(photos);
  photos_->send();
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
  photos_->stage(photos);
  step_->run(step);
  read_terms();
  return terms_;
}

void StyleTrainer::read_terms() {
  for (auto& term : terms_) term.raw = session_->loss(term.name);
}

std::vector<double> StyleTrainer::gradient_norms(std::span<const std::uint8_t> photos,
                                                 const std::function<void()>& after_term) {
  std::vector<double> norms;
  for (const auto& term : terms_) {
    forward(photos);
    session_->backward(term.name, generated_);
    const TensorView gradient = session_->gradient(generated_);
    norms.push_back(norm_of(context_, gradient));
    if (after_term) after_term();
  }
  return norms;
}

Image StyleTrainer::stylize(const Image& photo) {
  const Shape size{1, photo.height, photo.width, 3};
  if (!stylizer_ || stylizer_size_ != size) {
    stylizer_.emplace(context_, *params_, network_, photo.height, photo.width, dtype_);
    stylizer_size_ = size;
  }
  Image result(photo.height, photo.width, 3);
  stylizer_->run(photo.pixels.data(), result.pixels.data());
  return result;
}

}  // namespace chiaro
