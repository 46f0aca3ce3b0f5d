#include "layers/loss_layers.hpp"

namespace chiaro {

LayerSpec LossLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  check(inputs);
  LayerSpec spec;
  spec.output = {{1, 1, 1, 1}, DType::F32};
  for (int i = 0; i < static_cast<int>(inputs.size()); ++i) spec.backward_reads_inputs.push_back(i);
  spec.forward_workspace_bytes = workspace_bytes(context, inputs[0].shape);
  spec.backward_workspace_bytes = spec.forward_workspace_bytes;
  return spec;
}

void LossLayer::run(Context& context, const NodeIo& io, bool value, bool gradient) const {
  losses::Request request{.scale = options_.layer_weight / averaged_over(io.inputs[0].shape),
                          .workspace = io.workspace};
  if (value) request.value = io.output.as<float>();
  if (gradient) {
    request.gradient = io.input_gradients[0];
    request.mode = io.input_modes[0];
    request.gradient_scale = options_.weight * request.scale;
  }
  compute(context, io.inputs, request);
}

void LossLayer::forward(Context& context, const NodeIo& io) {
  run(context, io, true, false);
}

void LossLayer::backward(Context& context, const NodeIo& io) {
  for (const GradientMode mode : io.input_modes.subspan(1))
    require(mode == GradientMode::Ignore, "{}: the target needs no gradient", type());
  run(context, io, io.value_wanted, true);
}

namespace {

void check_pair(const char* loss, std::span<const TensorSpec> inputs) {
  require(inputs.size() == 2, "{}: {} inputs", loss, inputs.size());
  require(inputs[0].shape == inputs[1].shape, "{}: features {} against {}", loss, to_string(inputs[0].shape),
          to_string(inputs[1].shape));
}

}  // namespace

void FeatureLossLayer::check(std::span<const TensorSpec> inputs) const {
  check_pair("feature loss", inputs);
}

void TvLossLayer::check(std::span<const TensorSpec> inputs) const {
  const Shape& x = inputs[0].shape;
  require(inputs.size() == 1 && x.h > 1 && x.w > 1, "total variation: picture {}", to_string(x));
}

void RangeLossLayer::check(std::span<const TensorSpec> inputs) const {
  require(inputs.size() == 1, "range loss: {} inputs", inputs.size());
}

void NmseFeatureLossLayer::check(std::span<const TensorSpec> inputs) const {
  check_pair("relative feature loss", inputs);
}

void DepthLossLayer::check(std::span<const TensorSpec> inputs) const {
  require(inputs.size() == 2, "depth loss: {} inputs", inputs.size());
  require(inputs[0].shape == inputs[1].shape, "depth loss: the prediction is {}, the target {}",
          to_string(inputs[0].shape), to_string(inputs[1].shape));
  require(inputs[0].shape.c == 1, "depth loss: {} channels, expected one", inputs[0].shape.c);
  require(inputs[1].dtype == DType::F32, "depth loss: the target is {}, expected fp32",
          name_of(inputs[1].dtype));
}

}  // namespace chiaro
