#include "layers/batch_norm_layer.hpp"

#include "kernels/norm/batch_norm_training.hpp"

namespace chiaro {

namespace {

batch_norm::training::Attributes attributes(const BatchNormOptions& options) {
  return {.eps = options.eps, .momentum = options.momentum, .relu = options.relu};
}

}  // namespace

LayerSpec BatchNormLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  require(inputs.size() == 1 || inputs.size() == 2, "batch norm: {} inputs", inputs.size());
  const TensorSpec& x = inputs[0];
  for (const Param& p : params())
    require(p.shape().count() == x.shape.c, "batch norm: '{}' has {} values, the input {} channels",
            p.store->entries()[p.index].name, p.shape().count(), x.shape.c);
  require(!running_mean_.trainable() && !running_variance_.trainable(),
          "batch norm: the running statistics belong to a frozen store");
  require(x.shape.n * x.shape.pixels() > 1,
          "batch norm: the input {} has one pixel, which has no variance: use a larger picture or batch",
          to_string(x.shape));
  if (inputs.size() == 2)
    require(inputs[1].shape == x.shape && inputs[1].dtype == x.dtype,
            "batch norm: residual is {} {}, expected {} {}", name_of(inputs[1].dtype),
            to_string(inputs[1].shape), name_of(x.dtype), to_string(x.shape));
  LayerSpec spec;
  spec.output = x;
  spec.saved_bytes = {x.shape.c * 4, x.shape.c * 4};
  spec.backward_reads_inputs = {0};
  spec.backward_reads_output = options_.relu;
  spec.forward_workspace_bytes = batch_norm::training::forward_workspace_bytes(context, x.shape);
  spec.backward_workspace_bytes = batch_norm::training::backward_workspace_bytes(context, x.shape);
  return spec;
}

void BatchNormLayer::forward(Context& context, const NodeIo& io) {
  batch_norm::training::forward(context,
                                {.x = io.inputs[0],
                                 .scale = scale_.value(),
                                 .offset = offset_.value(),
                                 .residual = io.inputs.size() == 2 ? io.inputs[1] : ConstTensorView{},
                                 .y = io.output,
                                 .mean = static_cast<float*>(io.saved[0]),
                                 .rstd = static_cast<float*>(io.saved[1]),
                                 .running_mean = running_mean_.value(),
                                 .running_variance = running_variance_.value(),
                                 .workspace = io.workspace,
                                 .attr = attributes(options_)});
  running_mean_.store->values_computed();
}

void BatchNormLayer::backward(Context& context, const NodeIo& io) {
  const bool residual = io.inputs.size() == 2;
  batch_norm::training::backward(context,
                                 {.x = io.inputs[0],
                                  .y = options_.relu ? ConstTensorView(io.output) : ConstTensorView{},
                                  .scale = scale_.value(),
                                  .mean = static_cast<const float*>(io.saved[0]),
                                  .rstd = static_cast<const float*>(io.saved[1]),
                                  .dy = io.output_gradient,
                                  .dx = io.input_gradients[0],
                                  .dx_mode = io.input_modes[0],
                                  .dscale = scale_.trainable() ? scale_.gradient() : nullptr,
                                  .doffset = offset_.trainable() ? offset_.gradient() : nullptr,
                                  .param_mode = io.param_mode,
                                  .dresidual = residual ? io.input_gradients[1] : TensorView{},
                                  .dresidual_mode = residual ? io.input_modes[1] : GradientMode::Ignore,
                                  .workspace = io.workspace,
                                  .attr = attributes(options_)});
}

}  // namespace chiaro
