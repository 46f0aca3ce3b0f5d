// Losses that pull one network's features towards another's, relative to these: 0 is perfect, 1 is what
// features of 0 get. The output is one fp32 scalar, the raw (unweighted) term; backward adds weight * d(raw).
//
//   RelativeFeatureLossLayer  raw = mean_n |x_n - t_n|^2 / |t_n|^2
//   RelativeGramLossLayer     raw = mean_n |G(x)_n - G(t)_n|^2 / |G(t)_n|^2     G = F^T F / (H W C),
//   Frobenius
// times layer_weight each. Inputs: x and t, both (N,H,W,C), fp32 or bf16; only x gets a gradient. Every
// picture counts the same, however strong its features are: Gram matrices grow with the fourth power of the
// contrast, and a plain mean would be that of the few pictures of most contrast. Pictures whose t is all 0
// count nothing. See kernels/losses/relative.hpp.
#pragma once
#include "layers/loss_layers.hpp"

namespace chiaro {

class RelativeFeatureLossLayer : public Layer {
 public:
  explicit RelativeFeatureLossLayer(LossOptions options) : options_(options) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  bool is_loss() const override { return true; }
  const char* type() const override { return "relative_feature_loss"; }

 private:
  LossOptions options_;
};

class RelativeGramLossLayer : public Layer {
 public:
  explicit RelativeGramLossLayer(LossOptions options) : options_(options) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  bool is_loss() const override { return true; }
  const char* type() const override { return "relative_gram_loss"; }

 private:
  LossOptions options_;
};

}  // namespace chiaro
