// ReLU on its own, for where the values before it are wanted too. Backward reads y.
#pragma once
#include "engine/layer.hpp"
#include "kernels/elementwise/elementwise.hpp"

namespace chiaro {

class ReluLayer : public Layer {
 public:
  LayerSpec setup(Context&, std::span<const TensorSpec> inputs) override {
    LayerSpec spec;
    spec.output = inputs[0];
    spec.backward_reads_output = true;
    return spec;
  }
  void forward(Context& context, const NodeIo& io) override {
    relu_forward(context, io.inputs[0], io.output);
  }
  void backward(Context& context, const NodeIo& io) override {
    relu_backward(context, io.output, io.output_gradient, io.input_gradients[0], io.input_modes[0]);
  }
  const char* type() const override { return "relu"; }
};

}  // namespace chiaro
