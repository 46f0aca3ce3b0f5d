// Max pooling. Backward reads x and y; the gradient goes to the first maximum of each window.
#pragma once
#include "engine/layer.hpp"
#include "kernels/max_pool/max_pool.hpp"

namespace chiaro {

class MaxPoolLayer : public Layer {
 public:
  explicit MaxPoolLayer(max_pool::Attributes attributes) : attributes_(attributes) {}

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
                       io.input_modes[0], attributes_);
  }
  const char* type() const override { return "max_pool"; }

 private:
  max_pool::Attributes attributes_;
};

}  // namespace chiaro
