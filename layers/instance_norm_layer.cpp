#include "layers/instance_norm_layer.hpp"

namespace chiaro {

LayerSpec InstanceNormLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  require(inputs.size() == 1 || inputs.size() == 2, "instance norm: {} inputs", inputs.size());
  const TensorSpec& x = inputs[0];
  require(gamma_.shape().count() == x.shape.c && beta_.shape().count() == x.shape.c,
          "instance norm: gamma and beta have {} values, the input {} channels", gamma_.shape().count(),
          x.shape.c);
  if (inputs.size() == 2) {
    const Shape expected = attributes_.residual_border.outer(x.shape);
    require(inputs[1].shape == expected && inputs[1].dtype == x.dtype,
            "instance norm: residual is {}, expected {}", to_string(inputs[1].shape), to_string(expected));
  }
  LayerSpec spec;
  spec.output = {attributes_.out_border.outer(x.shape), x.dtype};
  spec.saved_bytes = {x.shape.n * x.shape.c * 4, x.shape.n * x.shape.c * 4};
  spec.backward_reads_inputs = {0};
  spec.forward_workspace_bytes = instance_norm::forward_workspace_bytes(context, x.shape);
  spec.backward_workspace_bytes = instance_norm::backward_workspace_bytes(context, x.shape);
  return spec;
}

void InstanceNormLayer::forward(Context& context, const NodeIo& io) {
  instance_norm::forward(context, {.x = io.inputs[0],
                                   .gamma = gamma_.value(),
                                   .beta = beta_.value(),
                                   .residual = io.inputs.size() == 2 ? io.inputs[1] : ConstTensorView{},
                                   .y = io.output,
                                   .mean = static_cast<float*>(io.saved[0]),
                                   .rstd = static_cast<float*>(io.saved[1]),
                                   .workspace = io.workspace,
                                   .attr = attributes_});
}

void InstanceNormLayer::backward(Context& context, const NodeIo& io) {
  const bool residual = io.inputs.size() == 2;
  instance_norm::backward(context, {.x = io.inputs[0],
                                    .gamma = gamma_.value(),
                                    .beta = beta_.value(),
                                    .mean = static_cast<const float*>(io.saved[0]),
                                    .rstd = static_cast<const float*>(io.saved[1]),
                                    .dy = io.output_gradient,
                                    .dx = io.input_gradients[0],
                                    .dx_mode = io.input_modes[0],
                                    .dgamma = gamma_.trainable() ? gamma_.gradient() : nullptr,
                                    .dbeta = beta_.trainable() ? beta_.gradient() : nullptr,
                                    .param_mode = io.param_mode,
                                    .dresidual = residual ? io.input_gradients[1] : TensorView{},
                                    .dresidual_mode = residual ? io.input_modes[1] : GradientMode::Ignore,
                                    .workspace = io.workspace,
                                    .attr = attributes_});
}

}  // namespace chiaro
