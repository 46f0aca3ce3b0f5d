// Transposed convolution 3x3, stride 2, padding 1, output padding 1: doubles height and width. No bias: a
// norm follows. Input x (N,H,W,C); weight as the matching forward convolution's KRSC, (C,3,3,K); output
// (N,2H,2W,K). Backward reads x when the weight is trained.
#pragma once
#include <memory>

#include "engine/layer.hpp"
#include "kernels/conv2d/conv_transpose2d.hpp"

namespace chiaro {

class ConvTranspose2dLayer : public Layer {
 public:
  explicit ConvTranspose2dLayer(Param weight) : weight_(weight) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  std::vector<Param> params() const override { return {weight_}; }
  const char* type() const override { return "conv_transpose2d"; }
  std::int64_t multiply_adds() const override;

 private:
  Param weight_;
  std::unique_ptr<conv_transpose2d::Plan> plan_;
  Shape x_;
};

}  // namespace chiaro
