#include "layers/upsample_conv_layer.hpp"

#include <algorithm>

#include "kernels/base/alignment.hpp"
#include "kernels/resample/upsample.hpp"
#include "layers/packed_weights.hpp"

namespace chiaro {

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
  alignment_ = alignment_of(context);
  LayerSpec spec;
  spec.output = {{x.shape.n, 2 * (phases_.shape.h - 1), 2 * (phases_.shape.w - 1), w.n}, x.dtype};
  spec.backward_reads_inputs = {0};
  const std::int64_t around = align_up(phases_.bytes(), alignment_) + align_up(folded_bytes(), alignment_);
  spec.forward_workspace_bytes = around + plan_->workspace_bytes(conv2d::Pass::Forward);
  spec.backward_workspace_bytes = BackwardBytes([this, around](bool input_gradient) {
    return around + std::max(input_gradient ? plan_->workspace_bytes(conv2d::Pass::BackwardData) : 0,
                             weight_.trainable() ? plan_->workspace_bytes(conv2d::Pass::BackwardWeights) : 0);
  });
  return spec;
}

std::int64_t UpsampleConvLayer::folded_bytes() const {
  const Shape w = weight_.shape();
  return 16 * w.n * w.c * 4;
}

UpsampleConvLayer::Workspace UpsampleConvLayer::cut(void* workspace) const {
  auto* bytes = static_cast<std::byte*>(workspace);
  const std::int64_t folded = align_up(phases_.bytes(), alignment_),
                     rest = folded + align_up(folded_bytes(), alignment_);
  return {{bytes, phases_.dtype, phases_.shape}, reinterpret_cast<float*>(bytes + folded), bytes + rest};
}

void UpsampleConvLayer::forward(Context& context, const NodeIo& io) {
  const Workspace work = cut(io.workspace);
  plan_->forward(context, io.inputs[0],
                 packed_folded_weights(context, *plan_, weight_, conv2d::Pass::Forward, work.folded), nullptr,
                 work.phases, work.convolution);
  pixel_shuffle::forward(
      context,
      {.sources = phase_windows<pixel_shuffle::Source>(work.phases, weight_.shape().n), .y = io.output});
}

void UpsampleConvLayer::backward(Context& context, const NodeIo& io) {
  const Shape w = weight_.shape();
  const Workspace work = cut(io.workspace);
  pixel_shuffle::backward(context, {.dy = io.output_gradient,
                                    .targets = phase_windows<pixel_shuffle::Target>(work.phases, w.n),
                                    .zero_rest = true});
  if (weight_.trainable()) {
    plan_->backward_weights(context, io.inputs[0], work.phases, work.folded, nullptr, GradientMode::Overwrite,
                            work.convolution);
    upsample::unfold_gradient(context, work.folded, w.n, w.c, weight_.gradient(), io.param_mode);
  }
  if (io.input_modes[0] != GradientMode::Ignore)
    plan_->backward_data(
        context, work.phases,
        packed_folded_weights(context, *plan_, weight_, conv2d::Pass::BackwardData, work.folded),
        io.input_gradients[0], io.input_modes[0], work.convolution);
}

std::int64_t UpsampleConvLayer::multiply_adds() const {
  const Shape w = weight_.shape();
  return phases_.shape.count() * 4 * w.c;
}

}  // namespace chiaro
