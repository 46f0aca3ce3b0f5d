// One style-training run in memory: networks, losses, optimiser, and the steps they make.
//
// Everything is allocated by the constructor. One step = forward(), backward(), update(t).
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/training/style_graph.hpp"
#include "engine/image/image.hpp"
#include "engine/session.hpp"
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

  // photos: (batch, size, size, 3) bytes. Returns the loss terms in a fixed order.
  const std::vector<Term>& forward(std::span<const std::uint8_t> photos);
  void backward() { session_->backward(); }
  const std::vector<Term>& terms() const { return terms_; }  // as of the last forward()
  void update(std::int64_t step);                            // one step of the optimiser; counts from 1

  // L2 norm of the gradient of every weighted term with respect to the generated pictures, in the order of
  // the terms. Runs forward and backward once per term; leaves parameters and their gradients alone.
  std::vector<double> gradient_norms(std::span<const std::uint8_t> photos);
  // Norm of all parameter gradients after backward().
  double parameter_gradient_norm() const;

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

  Context& context_;
  DType dtype_;
  TransformNetConfig network_;
  OptimizerConfig optimizer_;
  std::unique_ptr<ParamStore> params_;
  NamedLossNetworks loss_networks_;
  std::optional<Session> session_;
  TensorId photo_, generated_;
  std::vector<Term> terms_;
  std::optional<Stylizer> stylizer_;
  Shape stylizer_size_;
  std::vector<std::string> notes_;
};

}  // namespace chiaro
