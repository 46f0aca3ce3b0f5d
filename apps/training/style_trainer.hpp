// One style-training run in memory: networks, losses, optimizer, and the steps they make.
//
// Everything is allocated by the constructor. step() is what training does, on a GPU as one CUDA graph;
// forward() and backward() are its parts, for those who look at one of them.
//
// Where there are several styles, each picture of a batch has one: picture i of step s has style (s - 1) *
// batch + i, counted around. So a step's styles follow from its number alone, and all styles have the same
// number of pictures.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/training/optimizer.hpp"
#include "apps/training/style_graph.hpp"
#include "engine/image/image.hpp"
#include "engine/session.hpp"
#include "engine/transfer.hpp"
#include "layers/networks/transform_net/transform_model.hpp"

namespace chiaro {

class StyleTrainer {
 public:
  struct Term : TermWeight {
    double raw = 0;
    double weighted() const { return weight * raw; }
  };

  // Loads weights and the style picture and initializes the network from config.model.init, the base that
  // comes with chiaro, or the seed.
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

  const std::vector<Term>& forward(std::span<const std::uint8_t> photos, std::int64_t step = 1);
  void backward();

  // The raw style loss of each style, as of the last step() or forward(): the mean over its pictures; NaN for
  // one that had none. None without a style term, or with one style.
  std::vector<double> style_losses() const;

  // L2 norm of the gradient of every weighted term with respect to the generated pictures, in the order of
  // the terms, for the styles of that step. Runs forward and backward once per term, and then calls
  // `after_term`; leaves parameters and their gradients alone.
  std::vector<double> gradient_norms(std::span<const std::uint8_t> photos, std::int64_t step = 1,
                                     const std::function<void()>& after_term = {});
  // What becomes the model: the running averages of the parameters where they are kept, else the parameters.
  std::vector<NamedTensor> parameters() const;
  // Each picture by the network of parameters() in one of its styles, counted from 0.
  std::vector<Image> stylize(std::span<const Image> photos, std::size_t style = 0);

  // The generated pictures: session().tensor() of it is readable after forward(), gradient() after
  // backward().
  TensorId generated() const { return generated_; }
  ParamStore& params() { return *params_; }
  Session& session() { return *session_; }
  Context& context() { return context_; }
  DType dtype() const { return dtype_; }
  const TransformNet& network() const { return network_; }
  const std::vector<std::string>& notes() const {
    return notes_;
  }  // what the user should know about this run

 private:
  StyleTrainer(Context& context, const TrainConfig& config, StyleGraph step, DType dtype,
               SessionOptions session_options);
  void initialize(const TrainConfig& config);
  void read_terms();
  void stage(std::span<const std::uint8_t> photos, std::int64_t step);
  void send();

  Context& context_;
  DType dtype_;
  TransformNet network_;
  std::unique_ptr<ParamStore> params_;
  NamedLossNetworks loss_networks_;
  std::optional<Session> session_;
  TensorId photo_, generated_, shares_;
  std::optional<PictureFeed> photos_;
  std::vector<float> staged_shares_;
  std::optional<TensorFeed> shares_feed_;  // of several styles
  std::optional<TrainingStep> step_;
  std::vector<Term> terms_;
  std::vector<std::string> notes_;
};

}  // namespace chiaro
