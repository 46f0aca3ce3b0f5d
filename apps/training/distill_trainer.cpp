#include "apps/training/distill_trainer.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/common/loss_weights.hpp"
#include "apps/training/distill_start.hpp"
#include "apps/training/training_task.hpp"
#include "engine/param_io.hpp"
#include "layers/gram_loss_layers.hpp"
#include "layers/networks/vgg/vgg_graph.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {

namespace {

constexpr const char* kFeature = "feature ";
constexpr const char* kGram = "gram ";

// Every convolution up to the deepest of the layers but the first, whose three channels are few already.
Vgg factors_of(const DistillConfig& distill, const Vgg& whole, const std::vector<std::string>& layers,
               const std::string& file) {
  if (!whole.ranks.empty())
    throw Error("{}: is in factors itself; give the whole VGG-{} as weights.vgg19", file, whole.depth);
  if (std::ssize(distill.ranks) != kVggBlocks)
    throw Error("distill.ranks: {} numbers, expected {}, one per block", distill.ranks.size(), kVggBlocks);
  Vgg factors{.depth = whole.depth, .width = whole.width, .preprocess = whole.preprocess};
  const auto convolutions = convolutions_for(whole, layers);
  factors.last_conv = convolutions.back().name();
  for (std::size_t i = 1; i < convolutions.size(); ++i) {
    const double rank = distill.ranks[static_cast<std::size_t>(convolutions[i].block - 1)];
    if (rank < 1 || rank != std::floor(rank))
      throw Error("distill.ranks: {} is no whole number of at least 1", rank);
    const auto whole_rank = static_cast<std::int64_t>(rank);
    if (whole_rank < convolutions[i].out_channels) factors.ranks[convolutions[i].name()] = whole_rank;
  }
  return factors;
}

std::vector<std::string> in_network_order(const std::vector<std::string>& layers, int depth) {
  convolutions_for({.depth = depth}, layers);  // names unknown ones
  std::vector<std::string> ordered;
  for (const auto& name : feature_names(Vgg{.depth = depth}))
    if (std::ranges::find(layers, name) != layers.end()) ordered.push_back(name);
  return ordered;
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
  const Vgg whole = vgg_of(weights, file);
  layers_ = in_network_order(config.distill.layers, whole.depth);
  config_ = factors_of(config.distill, whole, layers_, file);
  std::vector<std::string> needed = layers_;
  for (const VggConvolution& conv : convolutions_for(whole, layers_)) needed.push_back(conv.name());
  teacher_ = LossNetwork::load(weights, file, needed);
  build(config, session_options);
  if (!config.model.init.empty()) {
    const WeightsFile start = load_network(config.model.init, "vgg19");
    load_parameters(params_, start.parameters, config.model.init);
  } else if (photos) {
    BatchBuilder batches(photos, batch_options(config));
    start_from_whole(context,
                     {.whole_weights = weights, .whole = *teacher_, .factors = config_, .layers = layers_},
                     batches, session_->graph().shape(photo_), params_);
  }
}

void DistillTrainer::build(const TrainConfig& config, SessionOptions session_options) {
  const DistillConfig& distill = config.distill;
  if (distill.feature_weight == 0 && distill.gram_weight == 0)
    throw Error("distill.feature_weight and distill.gram_weight are 0: there is nothing to train for");
  Graph graph(context_);
  const std::int64_t size = config.data.image_size;
  photo_ = graph.add_input("photo", {{config.data.batch_size, size, size, 3}, DType::F32});
  const auto wanted = teacher_->build(graph, photo_, dtype_, layers_, "whole/");
  const auto found = build_vgg(graph, params_, photo_, config_, dtype_, layers_, "factors/");
  const double share = 1 / static_cast<double>(layers_.size());
  for (const auto& layer : layers_) {
    const std::vector<TensorId> pair{found.at(layer), wanted.at(layer)};
    if (distill.feature_weight != 0)
      graph.add_loss(
          kFeature + layer, kFeature + layer,
          std::make_unique<NmseFeatureLossLayer>(LossOptions{.weight = share * distill.feature_weight}),
          pair);
    if (distill.gram_weight != 0)
      graph.add_loss(kGram + layer, kGram + layer,
                     std::make_unique<NmseGramLossLayer>(LossOptions{.weight = share * distill.gram_weight}),
                     pair);
  }
  params_.allocate();
  errors_.feature.resize(distill.feature_weight != 0 ? layers_.size() : 0);
  errors_.gram.resize(distill.gram_weight != 0 ? layers_.size() : 0);
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
    errors_.feature[i] = session_->loss(kFeature + layers_[i]);
  for (std::size_t i = 0; i < errors_.gram.size(); ++i) errors_.gram[i] = session_->loss(kGram + layers_[i]);
}

WeightsFile DistillTrainer::weights_file(const std::string& provenance) const {
  return {.kind = fmt::format("vgg{}", config_.depth),
          .architecture = to_json(config_),
          .preprocess = to_json(config_.preprocess),
          .provenance = provenance,
          .parameters = save_parameters(params_)};
}

}  // namespace chiaro
