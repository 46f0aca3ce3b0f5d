#include "layers/loss_layers.hpp"

#include "kernels/gram/gram.hpp"
#include "kernels/gram/style_loss.hpp"
#include "kernels/losses/losses.hpp"

namespace chiaro {

namespace {

constexpr TensorSpec kScalar{{1, 1, 1, 1}, DType::F32};

double gram_scale(const Shape& x) {
  return 1.0 / static_cast<double>(x.pixels() * x.c);
}

}  // namespace

Buffer gram_matrix(Context& context, ConstTensorView features) {
  const Shape& x = features.shape;
  require(x.n == 1, "style features of {} pictures, expected one", x.n);
  Buffer g(x.c * x.c * 4, "style Gram matrix", compute_memory(context));
  const Buffer workspace(gram::forward_workspace_bytes(context, x), "Gram workspace",
                         compute_memory(context));
  gram::forward(context, features, g.as<float>(), static_cast<float>(gram_scale(x)), workspace.data());
  return g;
}

// The saved block holds the gradient of the Gram matrices.
LayerSpec StyleLossLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  require(inputs.size() == 1, "style loss: {} inputs", inputs.size());
  const Shape& x = inputs[0].shape;
  require(target_.bytes() == x.c * x.c * 4, "style loss: the target Gram matrix does not have {} channels",
          x.c);
  LayerSpec spec;
  spec.output = kScalar;
  spec.saved_bytes = {x.n * x.c * x.c * 4};
  spec.backward_reads_inputs = {0};
  spec.forward_workspace_bytes = gram::style_loss_workspace_bytes(context, x);
  spec.backward_workspace_bytes = gram::backward_workspace_bytes(context, x, inputs[0].dtype);
  return spec;
}

double StyleLossLayer::coefficient(const Shape& x) const {
  const double c2 = static_cast<double>(x.c) * static_cast<double>(x.c);
  const double per_picture = reduction_ == Reduction::Mean ? 1 / c2 : 1;
  return options_.layer_weight * per_picture / static_cast<double>(x.n);
}

void StyleLossLayer::forward(Context& context, const NodeIo& io) {
  const ConstTensorView& x = io.inputs[0];
  gram::style_loss(context, {.f = x,
                             .target = target_.as<const float>(),
                             .scale = static_cast<float>(gram_scale(x.shape)),
                             .coefficient = coefficient(x.shape),
                             .gradient_coefficient = options_.weight * coefficient(x.shape),
                             .value = io.output.as<float>(),
                             .dg = static_cast<float*>(io.saved[0]),
                             .workspace = io.workspace});
}

void StyleLossLayer::backward(Context& context, const NodeIo& io) {
  const ConstTensorView& x = io.inputs[0];
  gram::backward(context, x, static_cast<const float*>(io.saved[0]), static_cast<float>(gram_scale(x.shape)),
                 io.input_gradients[0], io.input_modes[0], io.workspace);
}

LayerSpec FeatureLossLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  require(inputs.size() == 2, "feature loss: {} inputs", inputs.size());
  require(inputs[0].shape == inputs[1].shape, "feature loss: features {} against {}",
          to_string(inputs[0].shape), to_string(inputs[1].shape));
  LayerSpec spec;
  spec.output = kScalar;
  spec.backward_reads_inputs = {0, 1};
  spec.forward_workspace_bytes = losses::mse_workspace_bytes(context, inputs[0].shape);
  spec.backward_workspace_bytes = spec.forward_workspace_bytes;
  return spec;
}

void FeatureLossLayer::forward(Context& context, const NodeIo& io) {
  const double scale = options_.layer_weight / static_cast<double>(io.inputs[0].shape.count());
  losses::mse_forward(context, io.inputs[0], io.inputs[1], scale, io.output.as<float>(), io.workspace);
}

void FeatureLossLayer::backward(Context& context, const NodeIo& io) {
  require(io.input_modes[1] == GradientMode::Ignore, "feature loss: the target needs no gradient");
  const ConstTensorView &x = io.inputs[0], &target = io.inputs[1];
  const double scale = options_.layer_weight / static_cast<double>(x.shape.count());
  if (io.value_wanted)
    losses::mse_forward_backward(context, x, target, scale, options_.weight, io.output.as<float>(),
                                 io.workspace, io.input_gradients[0], io.input_modes[0]);
  else
    losses::mse_backward(context, x, target, options_.weight * scale, io.input_gradients[0],
                         io.input_modes[0]);
}

LayerSpec TvLossLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  const Shape& x = inputs[0].shape;
  require(inputs.size() == 1 && x.h > 1 && x.w > 1, "total variation: picture {}", to_string(x));
  LayerSpec spec;
  spec.output = kScalar;
  spec.backward_reads_inputs = {0};
  spec.forward_workspace_bytes = losses::tv_workspace_bytes(context, x);
  spec.backward_workspace_bytes = spec.forward_workspace_bytes;
  return spec;
}

void TvLossLayer::forward(Context& context, const NodeIo& io) {
  losses::tv_forward(context, io.inputs[0], options_.layer_weight, io.output.as<float>(), io.workspace);
}

void TvLossLayer::backward(Context& context, const NodeIo& io) {
  const double scale = options_.layer_weight;
  if (io.value_wanted)
    losses::tv_forward_backward(context, io.inputs[0], scale, options_.weight, io.output.as<float>(),
                                io.workspace, io.input_gradients[0], io.input_modes[0]);
  else
    losses::tv_backward(context, io.inputs[0], options_.weight * scale, io.input_gradients[0],
                        io.input_modes[0]);
}

}  // namespace chiaro
