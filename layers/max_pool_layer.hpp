// Max pooling. Backward reads x and y; the gradient goes to the first maximum of each window. masks_relu: x
// is the output of a ReLU, and the gradient that is written or added to x is that before the ReLU, so that
// the layer before need not mask it (Conv2dOptions::gradient_is_masked).
#pragma once
#include "engine/layer.hpp"
#include "kernels/pool/max_pool.hpp"

namespace chiaro {

class MaxPoolLayer : public Layer {
 public:
  explicit MaxPoolLayer(max_pool::Attributes attributes, bool masks_relu = false)
      : attributes_(attributes), masks_relu_(masks_relu) {}

  LayerSpec setup(Context&, std::span<const TensorSpec> inputs) override {
    LayerSpec spec;
    spec.output = {max_pool::output_shape(inputs[0].shape, attributes_), inputs[0].dtype};
    spec.backward_reads_inputs = {0};
    spec.backward_reads_output = true;
    return spec;
  }
  void forward(Context& context, const NodeIo& io) override {
    max_pool::forward(context, io.inputs[0], io.output, attributes_);
  }
  void backward(Context& context, const NodeIo& io) override {
    max_pool::backward(context, io.inputs[0], io.output, io.output_gradient, io.input_gradients[0],
                       io.input_modes[0], attributes_, masks_relu_);
  }
  const char* type() const override { return "max_pool"; }

 private:
  max_pool::Attributes attributes_;
  bool masks_relu_;
};

}  // namespace chiaro
