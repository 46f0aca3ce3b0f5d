// Losses of Gram matrices as layers: output and weights as in loss_layers.hpp.
//
//   StyleLossLayer     raw = c * mean_b sum_{i,j} (G(x)_b - G*)_ij^2,  G = F^T F / (H W C)
//                      c = 1/C^2 (Reduction::Mean) or 1 (Reduction::Sum, the squared Frobenius norm)
//   NmseGramLossLayer  raw = mean_n |G(x)_n - G(t)_n|^2 / |G(t)_n|^2,  Frobenius
// times layer_weight each. The relative form is for pulling one network's features towards another's: Gram
// matrices grow with the fourth power of the contrast, and a plain mean would be that of the few pictures of
// most contrast.
// Source: Johnson et al. 2016, arXiv:1603.08155, equations 3-4; the normalization is that of
//   lengstrom/fast-style-transfer.
#pragma once
#include "engine/buffer.hpp"
#include "layers/loss_layers.hpp"

namespace chiaro {

// The Gram matrix (1,C,C) of features (1,H,W,C), fp32, as StyleLossLayer normalizes it; in the memory of the
// context's device.
Buffer gram_matrix(Context& context, ConstTensorView features);

// What the features at one layer are to look like: gram_matrix() of the style picture, or of several styles
// (S,C,C), each with a factor of its loss (S), fp32 in the memory of the context's device.
struct StyleTargets {
  Buffer grams, weights;  // weights: of several styles only
};

// Inputs: features, and with several styles the shares of these in every picture (N,1,1,S), fp32, without a
// gradient: a picture's target and factor are mixed by its shares (kernels/norm/row_mix.hpp), and the output
// is one value a picture (N,1,1,1), which add up to the raw term.
class StyleLossLayer : public Layer {
 public:
  enum class Reduction { Mean, Sum };
  StyleLossLayer(StyleTargets targets, Reduction reduction, LossOptions options)
      : targets_(std::move(targets)), reduction_(reduction), options_(options) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  bool is_loss() const override { return true; }
  const char* type() const override { return "style_loss"; }

 private:
  double coefficient(const Shape& x) const;

  StyleTargets targets_;
  std::int64_t own_workspace_ = 0;  // bytes that the loss itself wants in the forward pass
  Reduction reduction_;
  LossOptions options_;
};

// Inputs: x and t, both (N,H,W,C), fp32 or bf16; only x gets a gradient. Pictures whose t is all 0 count
// nothing.
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
