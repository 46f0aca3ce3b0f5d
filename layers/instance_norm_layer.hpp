// Instance norm with its neighbors fused in: ReLU, residual sum, and the border of the next convolution.
//   y = border(residual + act(gamma * (x - mean) * rstd + beta))
// Inputs: x (N,H,W,C), a tensor of shape residual_pad.outer(x) where there is a residual, and with
// attributes.per_picture the shares of S styles (N,1,1,S), fp32, without a gradient.
// Gamma, beta: (1,1,1,C); with per_picture (S,1,1,C), a row for every style: a picture's are the rows mixed
// by its shares (kernels/row_mix), as conditional instance norm has it.
// Output: out_pad.outer(x).
// Backward reads x and what was saved: statistics, and a picture's own gamma and beta; not y.
#pragma once
#include "engine/layer.hpp"
#include "kernels/norm/instance_norm.hpp"

namespace chiaro {

class InstanceNormLayer : public Layer {
 public:
  InstanceNormLayer(Param gamma, Param beta, instance_norm::Attributes attributes)
      : gamma_(gamma), beta_(beta), attributes_(attributes) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  std::vector<Param> params() const override { return {gamma_, beta_}; }
  const char* type() const override { return attributes_.per_picture ? "conditional_norm" : "instance_norm"; }

 private:
  bool has_residual(std::size_t inputs) const { return inputs == (attributes_.per_picture ? 3 : 2); }

  Param gamma_, beta_;
  instance_norm::Attributes attributes_;
  std::int64_t own_workspace_ = 0;  // bytes that the norm itself wants in the backward pass
};

}  // namespace chiaro
