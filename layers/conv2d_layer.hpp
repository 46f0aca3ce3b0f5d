// Convolution with optional zero padding, bias, ReLU and a tensor added before the ReLU.
//   y = act(conv(x, w) + b + add)
// Inputs: x (N,H,W,C); with options.add also add, of y's shape and dtype. Weight (K,R,S,C), bias (1,1,1,K).
// Backward reads x only when the weight is trained, and y only when there is a ReLU. It applies the ReLU mask
// to the output gradient in place, unless all who write that gradient do so (gradient_is_masked): masking is
// linear, so the mask of the sum is the sum of what is masked.
#pragma once
#include <memory>
#include <optional>

#include "engine/layer.hpp"
#include "kernels/conv2d/conv2d.hpp"

namespace chiaro {

struct Conv2dOptions {
  std::int64_t stride = 1;
  conv2d::Padding pad;
  bool relu = false;
  bool add = false;
  bool gradient_is_masked = false;    // only with relu; the output gradient arrives 0 where y is not positive
  std::optional<DType> output_dtype;  // default: the input's
};

class Conv2dLayer : public Layer {
 public:
  Conv2dLayer(Param weight, Param bias, Conv2dOptions options)
      : weight_(weight), bias_(bias), options_(options) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  std::vector<Param> params() const override;
  const char* type() const override { return "conv2d"; }
  std::int64_t multiply_adds() const override;

 private:
  Param weight_, bias_;
  Conv2dOptions options_;
  std::unique_ptr<conv2d::Plan> plan_;
};

}  // namespace chiaro
