// The training of one depth network in memory: ResNet-UpProj, berHu loss, optimizer, and the steps they make.
//
// Predictions come from the network in its inference form, made
// from the parameters and running statistics of the moment; that network is built at its first use.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/training/config.hpp"
#include "apps/training/optimizer.hpp"
#include "engine/data/depth_batches.hpp"
#include "engine/session.hpp"
#include "engine/transfer.hpp"
#include "layers/networks/resnet_upproj/resnet_upproj.hpp"

namespace chiaro {

// What [depth] of a configuration describes. Input is as ImageNet's encoder wants it, trained or not.
ResnetUpproj depth_network_config(const DepthConfig& depth);

class DepthTrainer {
 public:
  // Initial values from the seed, the encoder's from depth.encoder_weights if given, or all from model.init.
  // Errors: those of the readers, a model.init of another architecture, an input that is too small.
  DepthTrainer(Context& context, const TrainConfig& config, DType dtype, SessionOptions session_options);
  DepthTrainer(const DepthTrainer&) = delete;
  DepthTrainer& operator=(const DepthTrainer&) = delete;

  PictureSize target_size() const;  // of the network's output

  // One step, counted from 1, on a batch of the configuration's size, targets of target_size(); on a GPU one
  // CUDA graph. Updates the running statistics. Returns the berHu loss before the update of the parameters,
  // which is made whatever it is.
  double step(std::int64_t step, const DepthBatch& batch);
  double parameter_gradient_norm() const { return step_->optimizer().gradient_norm(); }  // of the last step()

  // Meters, as DepthBatch::depth. Valid until the next call.
  std::span<const float> predict(const DepthBatch& batch);

  // Call after changing parameters or statistics from outside.
  void values_changed() { inference_is_current_ = false; }
  ParamStore& params() { return params_; }
  ParamStore& statistics() { return statistics_; }
  Session& session() { return *session_; }
  Context& context() { return context_; }
  DType dtype() const { return dtype_; }

  // The network as it is now, as a file that load_network() reads; provenance: JSON.
  WeightsFile weights_file(const std::string& provenance) const;

 private:
  struct Inference {
    ParamStore store{ParamStore::Kind::Frozen};
    std::optional<Session> session;
    TensorId picture = -1, prediction = -1;
    std::vector<float> meters;
  };

  void initialize(const TrainConfig& config);
  void load_model(const std::string& path);
  Inference& current_inference();

  Context& context_;
  DType dtype_;
  ResnetUpproj network_;
  ParamStore params_{ParamStore::Kind::Trainable}, statistics_{ParamStore::Kind::Frozen};
  std::optional<Session> session_;
  TensorId picture_ = -1, target_ = -1;
  std::optional<TensorFeed> colors_, depths_;
  std::optional<TrainingStep> step_;
  std::unique_ptr<Inference> inference_;
  bool inference_is_current_ = false;
};

}  // namespace chiaro
