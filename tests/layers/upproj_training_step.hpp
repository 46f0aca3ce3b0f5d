// One training step of a small depth network.
#pragma once
#include "layers/loss_layers.hpp"
#include "layers/networks/resnet_upproj/upproj_training.hpp"
#include "tests/layers/golden_support.hpp"

namespace chiaro::test {

struct UpprojStepConfig {
  enum class Loss { Berhu, Mse };

  ResnetUpproj network{.width = 2};
  Shape picture{2, 64, 64, 3};
  DType dtype = DType::F32;
  float momentum = kResnetUpprojMomentum;
  Loss loss = Loss::Berhu;
  SessionOptions session{.backward = true};
};

// Depths of 0 to 8 m with a quarter of them missing, from the hashed picture "depth".
inline std::vector<float> hash_depth(const Shape& s) {
  const auto picture = hash_picture("depth", s.n, s.h, s.w);
  std::vector<float> depth(static_cast<std::size_t>(s.n * s.pixels()));
  for (std::size_t i = 0; i < depth.size(); ++i)
    depth[i] = picture[3 * i + 1] < 64 ? 0.f : picture[3 * i] / 32;
  return depth;
}

class UpprojStep {
 public:
  UpprojStep(Context& context, const UpprojStepConfig& config) : config_(config) {
    Graph graph(context);
    picture_ = graph.add_input("photo", {config.picture, DType::F32});
    prediction_ = build_resnet_upproj_training(graph, params_, statistics_, picture_, config.network,
                                               config.dtype, config.momentum);
    target_ = graph.add_input("depth", {graph.shape(prediction_), DType::F32});
    graph.keep(prediction_);
    std::unique_ptr<Layer> loss = std::make_unique<DepthLossLayer>(LossOptions{});
    if (config.loss == UpprojStepConfig::Loss::Mse) loss = std::make_unique<FeatureLossLayer>(LossOptions{});
    graph.add_loss("depth", "depth loss", std::move(loss), {prediction_, target_});
    allocate_hashed(params_, kSeedResnet);
    allocate_hashed(statistics_, kSeedResnet);
    session_ = std::make_unique<Session>(std::move(graph), config.session);
  }

  void forward() {
    const Shape& s = config_.picture;
    fill(session_->tensor(picture_), hash_picture("photo", s.n, s.h, s.w));
    fill(session_->tensor(target_), hash_depth(session_->graph().shape(target_)));
    session_->forward();
  }

  ParamStore& params() { return params_; }
  ParamStore& statistics() { return statistics_; }
  Session& session() { return *session_; }
  TensorId prediction() const { return prediction_; }

 private:
  UpprojStepConfig config_;
  ParamStore params_{ParamStore::Kind::Trainable}, statistics_{ParamStore::Kind::Frozen};
  TensorId picture_ = -1, prediction_ = -1, target_ = -1;
  std::unique_ptr<Session> session_;
};

}  // namespace chiaro::test
