// Losses that pull one network's features towards another's, relative to these: 0 is perfect, 1 is what
// features of 0 get. The output is one fp32 scalar, the raw (unweighted) term; backward adds weight * d(raw).
//
//   NmseFeatureLossLayer  raw = mean_n |x_n - t_n|^2 / |t_n|^2
//   NmseGramLossLayer     raw = mean_n |G(x)_n - G(t)_n|^2 / |G(t)_n|^2     G = F^T F / (H W C),
//   Frobenius
// times layer_weight each. Inputs: x and t, both (N,H,W,C), fp32 or bf16; only x gets a gradient. Every
// picture counts the same, however strong its features are: Gram matrices grow with the fourth power of the
// contrast, and a plain mean would be that of the few pictures of most contrast. Pictures whose t is all 0
// count nothing. See kernels/losses/nmse.hpp.
#pragma once
#include "layers/loss_layers.hpp"

namespace chiaro {

class NmseFeatureLossLayer : public Layer {
 public:
  explicit NmseFeatureLossLayer(LossOptions options) : options_(options) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  bool is_loss() const override { return true; }
  const char* type() const override { return "nmse_feature_loss"; }

 private:
  LossOptions options_;
};

class NmseGramLossLayer : public Layer {
 public:
  explicit NmseGramLossLayer(LossOptions options) : options_(options) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  bool is_loss() const override { return true; }
  const char* type() const override { return "nmse_gram_loss"; }

 private:
  LossOptions options_;
};

}  // namespace chiaro
