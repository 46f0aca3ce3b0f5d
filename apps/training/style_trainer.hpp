// One style-training run in memory: networks, losses, optimiser, and the steps they make.
//
// Everything is allocated by the constructor. step() is what training does, on a GPU as one CUDA graph;
// forward() and backward() are its parts, for those who look at one of them.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/training/style_graph.hpp"
#include "apps/training/training_step.hpp"
#include "engine/image/image.hpp"
#include "engine/session.hpp"
#include "engine/transfer.hpp"
#include "layers/nets/transform_model.hpp"

namespace chiaro {

class StyleTrainer {
 public:
  struct Term : TermWeight {
    double raw = 0;
    double weighted() const { return weight * raw; }
  };

  // Loads weights and the style picture and initialises the network from config.model.init or the seed.
  StyleTrainer(Context& context, const TrainConfig& config, DType dtype, SessionOptions session_options);

  StyleTrainer(const StyleTrainer&) = delete;
  StyleTrainer& operator=(const StyleTrainer&) = delete;

  // One step, counted from 1, on photos: (batch, size, size, 3) bytes. Returns the loss terms in a fixed
  // order, as they were before the update. The update is made whatever they are, also where they or the
  // gradient are not finite.
  const std::vector<Term>& step(std::int64_t step, std::span<const std::uint8_t> photos);
  const std::vector<Term>& terms() const { return terms_; }  // as of the last step() or forward()
  // Norm of all parameter gradients, as of the last step() or backward().
  double parameter_gradient_norm() const { return step_->optimizer().gradient_norm(); }

  const std::vector<Term>& forward(std::span<const std::uint8_t> photos);
  void backward();

  // L2 norm of the gradient of every weighted term with respect to the generated pictures, in the order of
  // the terms. Runs forward and backward once per term, and then calls `after_term`; leaves parameters and
  // their gradients alone.
  std::vector<double> gradient_norms(std::span<const std::uint8_t> photos,
                                     const std::function<void()>& after_term = {});
  // The network as it is now, on one picture.
  Image stylize(const Image& photo);

  // The generated pictures: session().tensor() of it is readable after forward(), gradient() after
  // backward().
  TensorId generated() const { return generated_; }
  ParamStore& params() { return *params_; }
  Session& session() { return *session_; }
  Context& context() { return context_; }
  DType dtype() const { return dtype_; }
  const TransformNetConfig& network() const { return network_; }
  const std::vector<std::string>& notes() const {
    return notes_;
  }  // what the user should know about this run

 private:
  StyleTrainer(Context& context, const TrainConfig& config, StyleGraph step, DType dtype,
               SessionOptions session_options);
  void initialize(const TrainConfig& config);
  void read_terms();

  Context& context_;
  DType dtype_;
  TransformNetConfig network_;
  std::unique_ptr<ParamStore> params_;
  NamedLossNetworks loss_networks_;
  std::optional<Session> session_;
  TensorId photo_, generated_;
  std::optional<PictureFeed> photos_;
  std::optional<TrainingStep> step_;
  std::vector<Term> terms_;
  std::optional<Stylizer> stylizer_;
  Shape stylizer_size_;
  std::vector<std::string> notes_;
};

}  // namespace chiaro
