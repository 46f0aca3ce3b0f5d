// Instance norm with its neighbours fused in: ReLU, residual sum, and the border of the next convolution.
//   y = border(residual + act(gamma * (x - mean) * rstd + beta))
// Inputs: x (N,H,W,C) and, with options.residual, a tensor of shape residual_border.outer(x). Gamma, beta
// (1,1,1,C). Output: out_border.outer(x). Backward reads x and the saved statistics, not y.
#pragma once
#include "engine/layer.hpp"
#include "kernels/instance_norm/instance_norm.hpp"

namespace chiaro {

class InstanceNormLayer : public Layer {
 public:
  InstanceNormLayer(Param gamma, Param beta, instance_norm::Attributes attributes)
      : gamma_(gamma), beta_(beta), attributes_(attributes) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  std::vector<Param> params() const override { return {gamma_, beta_}; }
  const char* type() const override { return "instance_norm"; }

 private:
  Param gamma_, beta_;
  instance_norm::Attributes attributes_;
};

}  // namespace chiaro
