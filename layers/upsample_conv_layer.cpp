#include "layers/upsample_conv_layer.hpp"

#include <algorithm>

#include "kernels/upsample/upsample.hpp"
#include "layers/packed_weights.hpp"

namespace chiaro {

namespace {

std::int64_t align(std::int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

}  // namespace

LayerSpec UpsampleConvLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  require(inputs.size() == 1, "upsample_conv: {} inputs", inputs.size());
  const TensorSpec& x = inputs[0];
  const Shape w = weight_.shape();
  require(w.h == 3 && w.w == 3 && w.c == x.shape.c, "upsample_conv: weights {} do not fit the input {}",
          to_string(w), to_string(x.shape));
  const std::int64_t pad = zero_pad_ ? 1 : 0;
  plan_ = conv2d::Plan::make(context, {.x = x.shape,
                                       .k = 4 * w.n,
                                       .r = 2,
                                       .s = 2,
                                       .pad = {pad, pad, pad, pad},
                                       .dtype = x.dtype,
                                       .y_dtype = x.dtype});
  phases_ = {plan_->problem().y(), x.dtype};
  folded_ = Buffer(2 * 4 * w.n * 4 * w.c * 4, "folded upsampling weights");
  LayerSpec spec;
  spec.output = {{x.shape.n, 2 * (phases_.shape.h - 1), 2 * (phases_.shape.w - 1), w.n}, x.dtype};
  spec.backward_reads_inputs = {0};
  const auto workspace = [&](conv2d::Pass pass) {
    return align(phases_.bytes()) + plan_->workspace_bytes(pass);
  };
  spec.forward_workspace_bytes = workspace(conv2d::Pass::Forward);
  spec.backward_workspace_bytes =
      std::max(workspace(conv2d::Pass::BackwardData), workspace(conv2d::Pass::BackwardWeights));
  return spec;
}

void UpsampleConvLayer::forward(Context& context, const NodeIo& io) {
  const TensorView phases{io.workspace, phases_.dtype, phases_.shape};
  void* workspace = static_cast<std::byte*>(io.workspace) + align(phases_.bytes());
  plan_->forward(context, io.inputs[0],
                 packed_folded_weights(context, *plan_, weight_, conv2d::Pass::Forward, folded_.as<float>()),
                 nullptr, phases, workspace);
  interleave::forward(
      context, {.sources = phase_windows<interleave::Source>(phases, weight_.shape().n), .y = io.output});
}

void UpsampleConvLayer::backward(Context& context, const NodeIo& io) {
  const Shape w = weight_.shape();
  const TensorView phases{io.workspace, phases_.dtype, phases_.shape};
  void* workspace = static_cast<std::byte*>(io.workspace) + align(phases_.bytes());
  interleave::backward(context, {.dy = io.output_gradient,
                                 .targets = phase_windows<interleave::Target>(phases, w.n),
                                 .zero_rest = true});
  if (weight_.trainable()) {
    float* folded_gradient = folded_.as<float>() + 16 * w.n * w.c;
    plan_->backward_weights(context, io.inputs[0], phases, folded_gradient, nullptr, GradientMode::Overwrite,
                            workspace);
    upsample::unfold_gradient(folded_gradient, w.n, w.c, weight_.gradient(), io.param_mode);
  }
  if (io.input_modes[0] != GradientMode::Ignore)
    plan_->backward_data(
        context, phases,
        packed_folded_weights(context, *plan_, weight_, conv2d::Pass::BackwardData, folded_.as<float>()),
        io.input_gradients[0], io.input_modes[0], workspace);
}

std::int64_t UpsampleConvLayer::multiply_adds() const {
  const Shape w = weight_.shape();
  return phases_.shape.count() * 4 * w.c;
}

}  // namespace chiaro
