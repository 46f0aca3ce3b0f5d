#include "layers/conv_transpose2d_layer.hpp"

#include <algorithm>

namespace chiaro {

LayerSpec ConvTranspose2dLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  require(inputs.size() == 1, "conv_transpose2d: {} inputs", inputs.size());
  x_ = inputs[0].shape;
  const Shape w = weight_.shape();
  require(w.n == x_.c && w.h == 3 && w.w == 3, "conv_transpose2d: weights {} do not fit the input {}",
          to_string(w), to_string(x_));
  plan_ = conv_transpose2d::Plan::make(context, {.x = x_, .k = w.c, .dtype = inputs[0].dtype});
  LayerSpec spec;
  spec.output = {plan_->problem().y(), inputs[0].dtype};
  spec.backward_reads_inputs = {0};
  spec.forward_workspace_bytes = plan_->workspace_bytes(conv2d::Pass::Forward);
  spec.backward_workspace_bytes = BackwardBytes([this](bool input_gradient) {
    return std::max(input_gradient ? plan_->workspace_bytes(conv2d::Pass::BackwardData) : 0,
                    weight_.trainable() ? plan_->workspace_bytes(conv2d::Pass::BackwardWeights) : 0);
  });
  return spec;
}

void ConvTranspose2dLayer::forward(Context& context, const NodeIo& io) {
  const void* packed = weight_.store->packed(
      weight_.index, "transposed " + plan_->packed_key(conv2d::Pass::Forward),
      plan_->packed_bytes(conv2d::Pass::Forward),
      [&](const float* w, void* p) { plan_->pack(context, conv2d::Pass::Forward, w, p); });
  plan_->forward(context, io.inputs[0], packed, io.output, io.workspace);
}

void ConvTranspose2dLayer::backward(Context& context, const NodeIo& io) {
  if (weight_.trainable())
    plan_->backward_weights(context, io.inputs[0], io.output_gradient, weight_.gradient(), io.param_mode,
                            io.workspace);
  if (io.input_modes[0] == GradientMode::Ignore) return;
  const void* packed = weight_.store->packed(
      weight_.index, "transposed " + plan_->packed_key(conv2d::Pass::BackwardData),
      plan_->packed_bytes(conv2d::Pass::BackwardData),
      [&](const float* w, void* p) { plan_->pack(context, conv2d::Pass::BackwardData, w, p); });
  plan_->backward_data(context, io.output_gradient, packed, io.input_gradients[0], io.input_modes[0],
                       io.workspace);
}

std::int64_t ConvTranspose2dLayer::multiply_adds() const {
  return x_.count() * 9 * weight_.shape().c;
}

}  // namespace chiaro
