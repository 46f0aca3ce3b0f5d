// The training of a VGG in factors of low rank that imitates the whole one, in memory: both networks, losses,
// optimizer, and the steps they make.
//
//   photo -> whole network (frozen) -> features F
//         -> network in factors     -> features f
//   loss = feature_weight * mean over layers of |f - F|^2 / |F|^2
//        + gram_weight    * mean over layers of |G(f) - G(F)|^2 / |G(F)|^2      per picture, then averaged
// See layers/loss_layers.hpp, layers/gram_loss_layers.hpp and layers/networks/vgg/vgg.hpp.
//
// The learning rate of a weight is optimizer.lr over the number of inputs that its output sums up, so that
// one step of Adam changes no layer's output by much more than that share of it. Undivided, the first steps,
// all of them as long as the learning rate and all in the same direction, destroy what the network begins
// with.
// Source: the scaling with width in Yang et al. 2022, arXiv:2203.03466, table 3.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/training/config.hpp"
#include "apps/training/optimizer.hpp"
#include "engine/data/photo_source.hpp"
#include "engine/session.hpp"
#include "engine/transfer.hpp"
#include "layers/networks/loss_network.hpp"
#include "layers/networks/vgg/vgg.hpp"

namespace chiaro {

// Relative squared errors, by layer; without a term (weight 0) its errors are empty.
struct DistillErrors {
  std::vector<double> feature, gram;
};

// Mean over layers; 0 where there are none.
double mean_error(const std::vector<double>& errors);

class DistillTrainer {
 public:
  // photos: where the initial values are measured (distill_start.hpp); null: they come from model.init, or
  // elsewhere.
  // Errors: those of the readers, a network to imitate that is in factors itself, ranks that are none, no
  // loss at all.
  DistillTrainer(Context& context, const TrainConfig& config, DType dtype, SessionOptions session_options,
                 const std::shared_ptr<const PhotoSource>& photos);
  DistillTrainer(const DistillTrainer&) = delete;
  DistillTrainer& operator=(const DistillTrainer&) = delete;

  // One step, counted from 1, on photos: (batch, size, size, 3) bytes; on a GPU one CUDA graph. Returns the
  // errors before the update, which is made whatever they are.
  const DistillErrors& step(std::int64_t step, std::span<const std::uint8_t> photos);
  // The errors alone.
  const DistillErrors& forward(std::span<const std::uint8_t> photos);
  const DistillErrors& errors() const { return errors_; }  // as of the last of either
  double parameter_gradient_norm() const { return step_->optimizer().gradient_norm(); }  // of the last step()

  const std::vector<std::string>& layers() const { return layers_; }  // in network order
  ParamStore& params() { return params_; }
  Session& session() { return *session_; }
  DType dtype() const { return dtype_; }

  // The network in factors as it is now; provenance: JSON.
  WeightsFile weights_file(const std::string& provenance) const;

 private:
  void read_errors();
  void build(const TrainConfig& config, SessionOptions session_options);

  Context& context_;
  DType dtype_;
  Vgg config_;  // of the network in factors
  std::vector<std::string> layers_;
  std::unique_ptr<LossNetwork> teacher_;
  ParamStore params_{ParamStore::Kind::Trainable};
  std::optional<Session> session_;
  TensorId photo_ = -1;
  std::optional<PictureFeed> photos_;
  std::optional<TrainingStep> step_;
  DistillErrors errors_;
};

}  // namespace chiaro
