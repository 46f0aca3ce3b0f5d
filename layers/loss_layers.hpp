// Losses as layers: the output is one fp32 scalar, the raw (unweighted) term; backward adds weight * d(raw).
//
//   StyleLossLayer    raw = c * mean_b sum_{i,j} (G(x)_b - G*)_ij^2,  G = F^T F / (H W C)
//                     c = 1/C^2 (Reduction::Mean) or 1 (Reduction::Sum, the squared Frobenius norm)
//   FeatureLossLayer  raw = mean over N,H,W,C of (x - target)^2       (content and depth features)
//   TvLossLayer       raw = mean of squared horizontal + mean of squared vertical differences
//   RangeLossLayer    raw = mean over N,H,W,C of (x - min(max(x, 0), 255))^2
// times layer_weight each. Sources: Johnson et al. 2016, arXiv:1603.08155, equations 2-4; the normalization
// is that of lengstrom/fast-style-transfer, for which the default weights are meant.
#pragma once
#include "engine/buffer.hpp"
#include "engine/layer.hpp"

namespace chiaro {

struct LossOptions {
  double weight = 1;        // multiplies the gradient only
  double layer_weight = 1;  // multiplies the raw value and the gradient
};

// The Gram matrix (1,C,C) of features (1,H,W,C), fp32, as StyleLossLayer normalizes it; in the memory of the
// context's device.
Buffer gram_matrix(Context& context, ConstTensorView features);

// What the features at one layer are to look like: gram_matrix() of the style picture, or of several styles (S,C,C), each
// with a factor of its loss (S), fp32 in the memory of the context's device.
struct StyleTargets {
  Buffer grams, weights;  // weights: of several styles only
};

// Inputs: features, and with several styles the shares of these in every picture (N,1,1,S), fp32, without a gradient: a
// picture's target and factor are mixed by its shares (kernels/row_mix), and the output is one value a picture
// (N,1,1,1), which add up to the raw term.
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

// Inputs: features of the generated picture, features of the target. Only the first gets a gradient.
class FeatureLossLayer : public Layer {
 public:
  explicit FeatureLossLayer(LossOptions options) : options_(options) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  bool is_loss() const override { return true; }
  bool value_comes_with_gradient() const override { return true; }
  const char* type() const override { return "feature_loss"; }

 private:
  LossOptions options_;
};

class TvLossLayer : public Layer {
 public:
  explicit TvLossLayer(LossOptions options) : options_(options) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  bool is_loss() const override { return true; }
  bool value_comes_with_gradient() const override { return true; }
  const char* type() const override { return "tv_loss"; }

 private:
  LossOptions options_;
};

// What is outside of 0 to 255, where pictures are cut off.
class RangeLossLayer : public Layer {
 public:
  explicit RangeLossLayer(LossOptions options) : options_(options) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  bool is_loss() const override { return true; }
  bool value_comes_with_gradient() const override { return true; }
  const char* type() const override { return "range_loss"; }

 private:
  double scale(const Shape& x) const { return options_.layer_weight / static_cast<double>(x.count()); }

  LossOptions options_;
};

}  // namespace chiaro
