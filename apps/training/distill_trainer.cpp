#include "apps/training/distill_trainer.hpp"

#include <algorithm>
#include <numeric>

#include "apps/common/loss_weights.hpp"
#include "apps/training/distill_start.hpp"
#include "apps/training/photo_batches.hpp"
#include "layers/conv2d_layer.hpp"
#include "layers/nets/compact_vgg.hpp"
#include "layers/relative_loss_layers.hpp"

namespace chiaro {

namespace {

constexpr const char* kFeature = "feature ";
constexpr const char* kGram = "gram ";

VggConfig narrow_config(const DistillConfig& distill, const VggConfig& wide, const std::string& file) {
  if (!wide.heads.empty())
    throw Error("{}: imitates a VGG-{} itself; give the original as weights.vgg19", file, wide.depth);
  if (distill.width > wide.width)
    throw Error("distill.width = {}: wider than the network to imitate, {} of width {}", distill.width, file,
                wide.width);
  VggConfig narrow{.depth = wide.depth, .width = distill.width, .preprocess = wide.preprocess};
  for (const auto& name : vgg_feature_names(wide.depth))
    if (std::ranges::find(distill.layers, name) != distill.layers.end()) narrow.heads.push_back(name);
  return narrow;
}

// Every parameter, its rate divided by its fan-in; one value per output (a bias) has a fan-in of 1.
std::vector<ParamRange> rates_by_fan_in(const ParamStore& params) {
  std::vector<ParamRange> ranges;
  for (const auto& entry : params.entries()) {
    const Shape& s = entry.shape;
    const std::int64_t fan_in = entry.name.ends_with(".bias") ? 1 : s.h * s.w * s.c;
    ranges.push_back({entry.offset, s.count(), 1 / static_cast<double>(fan_in)});
  }
  return ranges;
}

}  // namespace

double mean_error(const std::vector<double>& errors) {
  if (errors.empty()) return 0;
  return std::accumulate(errors.begin(), errors.end(), 0.0) / static_cast<double>(errors.size());
}

DistillTrainer::DistillTrainer(Context& context, const TrainConfig& config, DType dtype,
                               SessionOptions session_options,
                               const std::shared_ptr<const PhotoSource>& photos)
    : context_(context), dtype_(dtype) {
  const std::string file =
      loss_weights_file(config.weights.vgg19, "vgg19", shipped_models(), config.weights.base_url);
  const WeightsFile weights = load_loss_weights(file, "vgg19");
  wide_ = vgg_config(weights, file);
  narrow_ = narrow_config(config.distill, wide_, file);
  teacher_ = LossNetwork::load(weights, file, config.distill.layers);
  build(config, session_options);
  if (!photos) return;
  BatchBuilder batches(photos, batch_options(config));
  start_from_wide(context,
                  {.wide_weights = weights,
                   .wide = *teacher_,
                   .wide_config = wide_,
                   .narrow_config = narrow_,
                   .layers = narrow_.heads},
                  batches, session_->graph().shape(photo_), dtype, params_);
}

void DistillTrainer::build(const TrainConfig& config, SessionOptions session_options) {
  const DistillConfig& distill = config.distill;
  if (distill.feature_weight == 0 && distill.gram_weight == 0)
    throw Error("distill.feature_weight and distill.gram_weight are 0: there is nothing to train for");
  Graph graph(context_);
  const std::int64_t size = config.data.image_size;
  photo_ = graph.add_input("photo", {{config.data.batch_size, size, size, 3}, DType::F32});
  const auto wanted = teacher_->build(graph, photo_, dtype_, narrow_.heads, "wide/");
  VggConfig headless = narrow_;  // adapters take the place of heads
  headless.heads.clear();
  const auto found = build_vgg(graph, params_, photo_, headless, dtype_, narrow_.heads, "narrow/");
  const double share = 1 / static_cast<double>(narrow_.heads.size());
  for (const auto& layer : narrow_.heads) {
    const Param adapter = add_param(params_, adapter_name(layer),
                                    {graph.shape(wanted.at(layer)).c, 1, 1, graph.shape(found.at(layer)).c});
    const TensorId adapted =
        graph.add("adapter/" + layer, std::make_unique<Conv2dLayer>(adapter, Param{}, Conv2dOptions{}),
                  {found.at(layer)});
    if (distill.feature_weight != 0)
      graph.add_loss(
          kFeature + layer, kFeature + layer,
          std::make_unique<RelativeFeatureLossLayer>(LossOptions{.weight = share * distill.feature_weight}),
          {adapted, wanted.at(layer)});
    if (distill.gram_weight != 0)
      graph.add_loss(
          kGram + layer, kGram + layer,
          std::make_unique<RelativeGramLossLayer>(LossOptions{.weight = share * distill.gram_weight}),
          {adapted, wanted.at(layer)});
  }
  params_.allocate();
  errors_.feature.resize(distill.feature_weight != 0 ? narrow_.heads.size() : 0);
  errors_.gram.resize(distill.gram_weight != 0 ? narrow_.heads.size() : 0);
  session_options.backward = true;
  session_.emplace(std::move(graph), session_options);
  photos_.emplace(context_, session_->tensor(photo_));
  step_.emplace(
      context_, config, *session_, params_, [this] { photos_->send(); }, rates_by_fan_in(params_));
}

const DistillErrors& DistillTrainer::step(std::int64_t step, std::span<const std::uint8_t> photos) {
  photos_->stage(photos);
  step_->run(step);
  read_errors();
  return errors_;
}

const DistillErrors& DistillTrainer::forward(std::span<const std::uint8_t> photos) {
  photos_->stage(photos);
  photos_->send();
  session_->forward();
  read_errors();
  return errors_;
}

void DistillTrainer::read_errors() {
  for (std::size_t i = 0; i < errors_.feature.size(); ++i)
    errors_.feature[i] = session_->loss(kFeature + narrow_.heads[i]);
  for (std::size_t i = 0; i < errors_.gram.size(); ++i)
    errors_.gram[i] = session_->loss(kGram + narrow_.heads[i]);
}

WeightsFile DistillTrainer::weights_file(const std::string& provenance) const {
  return compact_vgg_file(params_, narrow_, wide_.width, provenance);
}

}  // namespace chiaro
