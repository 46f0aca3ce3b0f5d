// Batch norm in training form, with a residual sum and ReLU fused in.
//   y = act(scale * (x - mean) / sqrt(variance + eps) + offset + residual)     mean, variance: of the batch
// Inputs: x (N,H,W,C) and optionally a residual of the same shape and dtype. Scale and offset (1,1,1,C) are
// trained. The running mean and variance (1,1,1,C) belong to a store of Kind::Frozen, which every forward()
// updates: whoever saves or restores a training state saves and restores that store too. Backward reads x,
// the saved statistics and, with ReLU, y; it never reads the running statistics.
#pragma once
#include "engine/layer.hpp"

namespace chiaro {

struct BatchNormOptions {
  float eps = 1e-4f;      // of ResNet-UpProj's files
  float momentum = 0.1f;  // weight of the batch in the running statistics
  bool relu = false;
};

class BatchNormLayer : public Layer {
 public:
  BatchNormLayer(Param scale, Param offset, Param running_mean, Param running_variance,
                 BatchNormOptions options)
      : scale_(scale),
        offset_(offset),
        running_mean_(running_mean),
        running_variance_(running_variance),
        options_(options) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  std::vector<Param> params() const override { return {scale_, offset_, running_mean_, running_variance_}; }
  const char* type() const override { return "batch_norm"; }

 private:
  Param scale_, offset_, running_mean_, running_variance_;
  BatchNormOptions options_;
};

}  // namespace chiaro
