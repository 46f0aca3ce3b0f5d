// Losses as layers: the output is one fp32 scalar, the raw (unweighted) term; backward adds weight * d(raw).
//
//   FeatureLossLayer      raw = mean over N,H,W,C of (x - target)^2       (content and depth features)
//   TvLossLayer           raw = mean of squared horizontal + mean of squared vertical differences
//   RangeLossLayer        raw = mean over N,H,W,C of (x - min(max(x, 0), 255))^2
//                         what is outside of a picture's values
//   NmseFeatureLossLayer  raw = mean_n |x_n - t_n|^2 / |t_n|^2
//                         every picture counts the same, however strong its features are; pictures whose t
//                         is all 0 count nothing
//   DepthLossLayer        raw = mean over pixels with target > 0 of berHu(prediction - target)
// times layer_weight each; losses of Gram matrices are in gram_loss_layers.hpp.
// Inputs: x, or x and its target of the same shape, which gets no gradient. Those of the depth loss have one
//   channel, the target in fp32: meters, 0 where unknown.
// Each is one call of kernels/losses/losses.hpp, which has the formulas.
// Source: Johnson et al. 2016, arXiv:1603.08155, equations 2-4; the normalization is that of
//   lengstrom/fast-style-transfer, for which the default weights are meant. Laina et al. 2016,
//   arXiv:1606.00373, equation 2.
#pragma once
#include "engine/layer.hpp"
#include "kernels/losses/losses.hpp"

namespace chiaro {

struct LossOptions {
  double weight = 1;        // multiplies the gradient only
  double layer_weight = 1;  // multiplies the raw value and the gradient
};

// What these layers have in common; each names its op, what it averages over, and what its inputs must be.
class LossLayer : public Layer {
 public:
  explicit LossLayer(LossOptions options) : options_(options) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  bool is_loss() const override { return true; }
  bool value_comes_with_gradient() const override { return true; }

 protected:
  using Inputs = std::span<const ConstTensorView>;

  virtual void check(std::span<const TensorSpec> inputs) const = 0;
  virtual std::int64_t workspace_bytes(const Context& context, const Shape& x) const = 0;
  virtual double averaged_over(const Shape&) const { return 1; }
  virtual void compute(Context& context, Inputs inputs, const losses::Request& request) const = 0;

 private:
  void run(Context& context, const NodeIo& io, bool value, bool gradient) const;

  LossOptions options_;
};

class FeatureLossLayer : public LossLayer {
 public:
  using LossLayer::LossLayer;
  const char* type() const override { return "feature_loss"; }

 private:
  void check(std::span<const TensorSpec> inputs) const override;
  std::int64_t workspace_bytes(const Context& context, const Shape& x) const override {
    return losses::mse_workspace_bytes(context, x);
  }
  double averaged_over(const Shape& x) const override { return static_cast<double>(x.count()); }
  void compute(Context& context, Inputs inputs, const losses::Request& request) const override {
    losses::mse(context, inputs[0], inputs[1], request);
  }
};

class TvLossLayer : public LossLayer {
 public:
  using LossLayer::LossLayer;
  const char* type() const override { return "tv_loss"; }

 private:
  void check(std::span<const TensorSpec> inputs) const override;
  std::int64_t workspace_bytes(const Context& context, const Shape& x) const override {
    return losses::tv_workspace_bytes(context, x);
  }
  void compute(Context& context, Inputs inputs, const losses::Request& request) const override {
    losses::tv(context, inputs[0], request);
  }
};

class RangeLossLayer : public LossLayer {
 public:
  using LossLayer::LossLayer;
  const char* type() const override { return "range_loss"; }

 private:
  void check(std::span<const TensorSpec> inputs) const override;
  std::int64_t workspace_bytes(const Context& context, const Shape& x) const override {
    return losses::range_workspace_bytes(context, x);
  }
  double averaged_over(const Shape& x) const override { return static_cast<double>(x.count()); }
  void compute(Context& context, Inputs inputs, const losses::Request& request) const override {
    losses::range(context, inputs[0], 0, 255, request);
  }
};

class NmseFeatureLossLayer : public LossLayer {
 public:
  using LossLayer::LossLayer;
  const char* type() const override { return "nmse_feature_loss"; }

 private:
  void check(std::span<const TensorSpec> inputs) const override;
  std::int64_t workspace_bytes(const Context& context, const Shape& x) const override {
    return losses::nmse_workspace_bytes(context, x);
  }
  double averaged_over(const Shape& x) const override { return static_cast<double>(x.n); }
  void compute(Context& context, Inputs inputs, const losses::Request& request) const override {
    losses::nmse(context, inputs[0], inputs[1], request);
  }
};

class DepthLossLayer : public LossLayer {
 public:
  using LossLayer::LossLayer;
  const char* type() const override { return "depth_loss"; }

 private:
  void check(std::span<const TensorSpec> inputs) const override;
  std::int64_t workspace_bytes(const Context& context, const Shape& x) const override {
    return losses::berhu_workspace_bytes(context, x);
  }
  void compute(Context& context, Inputs inputs, const losses::Request& request) const override {
    losses::berhu(context, inputs[0], inputs[1], request);
  }
};

}  // namespace chiaro
