// The loss that trains depth networks: berHu over the pixels whose depth was measured.
//   raw = layer_weight * mean over pixels with target > 0 of berHu(prediction - target)
// Inputs: prediction (N,H,W,1), fp32 or bf16; target, the same shape in fp32, meters, 0 where unknown. Only the
// prediction gets a gradient: weight * d(raw). Batches without a measured pixel give 0 and no gradient. See
// kernels/losses/berhu.hpp.
// Source: Laina et al. 2016, arXiv:1606.00373, equation 2.
#pragma once
#include "layers/loss_layers.hpp"

namespace chiaro {

class DepthLossLayer : public Layer {
 public:
  explicit DepthLossLayer(LossOptions options) : options_(options) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  bool is_loss() const override { return true; }
  const char* type() const override { return "depth_loss"; }

 private:
  LossOptions options_;
};

}  // namespace chiaro
