#include "layers/nmse_layers.hpp"

#include <algorithm>

#include "kernels/gram/gram.hpp"
#include "kernels/losses/nmse.hpp"

namespace chiaro {

namespace {

constexpr TensorSpec kRelativeLoss{{1, 1, 1, 1}, DType::F32};

void check_inputs(const char* loss, std::span<const TensorSpec> inputs) {
  require(inputs.size() == 2, "{}: {} inputs", loss, inputs.size());
  require(inputs[0].shape == inputs[1].shape, "{}: features {} against {}", loss, to_string(inputs[0].shape),
          to_string(inputs[1].shape));
}

void require_constant_target(const char* loss, const NodeIo& io) {
  require(io.input_modes[1] == GradientMode::Ignore, "{}: the target needs no gradient", loss);
}

double mean_over_pictures(const LossOptions& options, const Shape& x) {
  return options.layer_weight / static_cast<double>(x.n);
}

Shape gram_shape(const Shape& x) {
  return {x.n, x.c, x.c, 1};
}

float mean_scale(const Shape& x) {
  return static_cast<float>(1.0 / static_cast<double>(x.pixels() * x.c));
}

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

}  // namespace

LayerSpec NmseFeatureLossLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  check_inputs("relative feature loss", inputs);
  LayerSpec spec;
  spec.output = kRelativeLoss;
  spec.saved_bytes = {inputs[0].shape.n * 4};
  spec.backward_reads_inputs = {0, 1};
  spec.forward_workspace_bytes = losses::nmse_workspace_bytes(context, inputs[0].shape);
  return spec;
}

void NmseFeatureLossLayer::forward(Context& context, const NodeIo& io) {
  losses::nmse_forward(context, io.inputs[0], io.inputs[1], mean_over_pictures(options_, io.inputs[0].shape),
                       io.output.as<float>(), static_cast<float*>(io.saved[0]), io.workspace);
}

void NmseFeatureLossLayer::backward(Context& context, const NodeIo& io) {
  require_constant_target("relative feature loss", io);
  losses::nmse_backward(context, io.inputs[0], io.inputs[1], static_cast<const float*>(io.saved[0]),
                        options_.weight * mean_over_pictures(options_, io.inputs[0].shape),
                        io.input_gradients[0], io.input_modes[0]);
}

// Saved: the Gram matrices of both, and what the relative error leaves.
LayerSpec NmseGramLossLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  check_inputs("relative Gram loss", inputs);
  const Shape& x = inputs[0].shape;
  const std::int64_t gram_bytes = gram_shape(x).count() * 4;
  LayerSpec spec;
  spec.output = kRelativeLoss;
  spec.saved_bytes = {gram_bytes, gram_bytes, x.n * 4};
  spec.backward_reads_inputs = {0};
  spec.forward_workspace_bytes = std::max(gram::forward_workspace_bytes(context, x),
                                          losses::nmse_workspace_bytes(context, gram_shape(x)));
  spec.backward_workspace_bytes =
      aligned(gram_bytes) + gram::backward_workspace_bytes(context, x, inputs[0].dtype);
  return spec;
}

void NmseGramLossLayer::forward(Context& context, const NodeIo& io) {
  const Shape& x = io.inputs[0].shape;
  for (const std::size_t i : {0, 1})
    gram::forward(context, io.inputs[i], static_cast<float*>(io.saved[i]), mean_scale(x), io.workspace);
  losses::nmse_forward(context, {io.saved[0], DType::F32, gram_shape(x)},
                       {io.saved[1], DType::F32, gram_shape(x)}, mean_over_pictures(options_, x),
                       io.output.as<float>(), static_cast<float*>(io.saved[2]), io.workspace);
}

void NmseGramLossLayer::backward(Context& context, const NodeIo& io) {
  require_constant_target("relative Gram loss", io);
  const Shape& x = io.inputs[0].shape;
  const Shape g = gram_shape(x);
  float* dg = static_cast<float*>(io.workspace);
  losses::nmse_backward(context, {io.saved[0], DType::F32, g}, {io.saved[1], DType::F32, g},
                        static_cast<const float*>(io.saved[2]),
                        options_.weight * mean_over_pictures(options_, x), {dg, DType::F32, g},
                        GradientMode::Overwrite);
  void* workspace = static_cast<std::byte*>(io.workspace) + aligned(g.count() * 4);
  gram::backward(context, io.inputs[0], dg, mean_scale(x), io.input_gradients[0], io.input_modes[0],
                 workspace);
}

}  // namespace chiaro
