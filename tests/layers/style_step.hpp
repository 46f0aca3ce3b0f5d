// One training step with all four losses, small enough for tests: the one of tests/golden/train_step.py
// unless told otherwise.
#pragma once
#include <array>

#include "kernels/optimizer/adam.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "layers/style_objective.hpp"
#include "tests/layers/golden_support.hpp"

namespace chiaro::test {

inline const std::array<std::string, 4> kTerms{"style", "content", "depth", "tv"};

struct StyleStepConfig {
  TransformNet network{.width = 8, .residual_blocks = 2};
  HashRuleFunction network_rule = train_step_rule;
  Shape photo{2, 32, 32, 3};
  std::array<double, 4> weights{1e2, 7.5, 1e2, 2e2};  // in the order of kTerms
  std::vector<std::string> style_layers{"relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"};
  std::vector<std::string> content_layers{"relu4_2"};
  std::vector<std::string> depth_layers{"up_8x", "up_16x", "prediction"};
  DType dtype = DType::F32;
  SessionOptions session{.backward = true};
};

class StyleStep {
 public:
  StyleStep(Context& context, const StyleStepConfig& config) : context_(context), config_(config) {
    auto vgg_layers = config.style_layers;
    vgg_layers.insert(vgg_layers.end(), config.content_layers.begin(), config.content_layers.end());
    vgg_ = LossNetwork::load(hash_vgg(19, 8, train_step_rule), "vgg19", vgg_layers);
    depth_ =
        LossNetwork::load(hash_resnet_upproj({.width = 8}, train_step_rule), "depth", config.depth_layers);
    StyleObjective objective{
        .style = {"style", vgg_.get(), config.style_layers, {}, config.weights[0]},
        .features = {{"content", vgg_.get(), config.content_layers, {}, config.weights[1]},
                     {"depth", depth_.get(), config.depth_layers, {}, config.weights[2]}},
        .pictures = {{"tv", config.weights[3]}}};
    const auto style = hash_picture("style", 1, 40, 36);
    const ConstTensorView style_view{style.data(), DType::F32, {1, 40, 36, 3}};
    if (config.weights[0] != 0)
      objective.style_targets = style_targets(context, objective.style, style_view, config.dtype);

    Graph graph(context);
    photo_ = graph.add_input("photo", {config.photo, DType::F32});
    const auto targets = add_photo_features(graph, objective, photo_, config.dtype);
    generated_ = build_transform_net(graph, params_, photo_, config.network, config.dtype);
    graph.keep(generated_);
    graph.keep_gradient(generated_);
    allocate_hashed(params_, kSeedTransform, config.network_rule);
    add_objective(graph, objective, generated_, targets, config.dtype);
    session_ = std::make_unique<Session>(std::move(graph), config.session);
  }

  // Runs forward on photo{i}.
  void forward(int i = 0) {
    set_photo(i);
    session_->forward();
  }
  // Runs backward; parameter gradients are NaN before, so that one which is not written shows.
  void backward() {
    forget_gradients();
    session_->backward();
  }
  void forward_backward() {
    set_photo(0);
    forget_gradients();
    session_->forward_backward();
  }
  void update(std::int64_t step, double lr) {
    adam::step(context_, {.lr = lr}, step, params_.slab_count(), params_.gradients().data(),
               params_.values().data(), params_.first_moments().data(), params_.second_moments().data());
    params_.values_changed();
  }

  // Raw terms in the order of kTerms, after forward().
  std::vector<double> terms() const {
    std::vector<double> raw;
    for (const auto& term : kTerms) raw.push_back(session_->loss(term));
    return raw;
  }
  double total() const {
    double sum = 0;
    for (std::size_t t = 0; t < kTerms.size(); ++t) sum += config_.weights[t] * session_->loss(kTerms[t]);
    return sum;
  }
  std::vector<float> gradient(const std::string& parameter) const {
    const auto* entry = params_.find(parameter);
    REQUIRE(entry != nullptr);
    const float* first = params_.gradients().data() + entry->offset;
    return {first, first + entry->shape.count()};
  }
  std::vector<float> parameter_gradients() const {
    return {params_.gradients().begin(), params_.gradients().end()};
  }
  std::vector<float> picture() const { return to_floats(session_->tensor(generated_)); }
  std::vector<float> picture_gradient() const { return to_floats(session_->gradient(generated_)); }

  ParamStore& params() { return params_; }
  Session& session() { return *session_; }
  const Session& session() const { return *session_; }
  TensorId generated() const { return generated_; }

 private:
  void set_photo(int i) {
    const Shape& s = config_.photo;
    fill(session_->tensor(photo_), hash_picture("photo" + std::to_string(i), s.n, s.h, s.w));
  }
  void forget_gradients() {
    for (int i = 0; i < static_cast<int>(params_.entries().size()); ++i)
      std::fill_n(params_.gradient(i), params_.entries()[static_cast<std::size_t>(i)].shape.count(), NAN);
  }

  Context& context_;
  StyleStepConfig config_;
  std::unique_ptr<LossNetwork> vgg_, depth_;
  ParamStore params_{ParamStore::Kind::Trainable};
  std::unique_ptr<Session> session_;
  TensorId photo_ = -1, generated_ = -1;
};

}  // namespace chiaro::test
