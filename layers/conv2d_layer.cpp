#include "layers/conv2d_layer.hpp"

#include <algorithm>

#include "kernels/elementwise/elementwise.hpp"
#include "layers/packed_weights.hpp"

namespace chiaro {

LayerSpec Conv2dLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  require(inputs.size() == (options_.add ? 2u : 1u), "conv2d: {} inputs", inputs.size());
  const TensorSpec& x = inputs[0];
  const Shape w = weight_.shape();
  require(w.c == x.shape.c, "conv2d: weights {} expect {} input channels, the input is {}", to_string(w), w.c,
          to_string(x.shape));
  require(!bias_ || bias_.shape().count() == w.n, "conv2d: bias has {} values for {} output channels",
          bias_ ? bias_.shape().count() : 0, w.n);
  plan_ = conv2d::Plan::make(context, {.x = x.shape,
                                       .k = w.n,
                                       .r = w.h,
                                       .s = w.w,
                                       .stride = options_.stride,
                                       .pad = options_.pad,
                                       .dtype = x.dtype,
                                       .y_dtype = options_.output_dtype.value_or(x.dtype),
                                       .bias = static_cast<bool>(bias_),
                                       .relu = options_.relu,
                                       .accumulate = options_.add});
  LayerSpec spec;
  spec.output = {plan_->problem().y(), plan_->problem().y_dtype};
  if (options_.add)
    require(inputs[1].shape == spec.output.shape && inputs[1].dtype == spec.output.dtype,
            "conv2d: the tensor to add is {}, the output {}", to_string(inputs[1].shape),
            to_string(spec.output.shape));
  if (weight_.trainable()) spec.backward_reads_inputs = {0};
  spec.backward_reads_output = options_.relu && !options_.gradient_is_masked;
  if (options_.add) spec.passes_gradient_to = 1;
  spec.forward_workspace_bytes = plan_->workspace_bytes(conv2d::Pass::Forward);
  spec.backward_workspace_bytes = BackwardBytes([this](bool input_gradient) {
    return std::max(input_gradient ? plan_->workspace_bytes(conv2d::Pass::BackwardData) : 0,
                    weight_.trainable() ? plan_->workspace_bytes(conv2d::Pass::BackwardWeights) : 0);
  });
  return spec;
}

void Conv2dLayer::forward(Context& context, const NodeIo& io) {
  plan_->forward(context, io.inputs[0], packed_weights(context, *plan_, weight_, conv2d::Pass::Forward),
                 bias_ ? packed_bias(context, *plan_, bias_) : nullptr, io.output, io.workspace,
                 options_.add ? io.inputs[1] : ConstTensorView{});
}

void Conv2dLayer::backward(Context& context, const NodeIo& io) {
  if (options_.relu && !options_.gradient_is_masked)
    relu_backward(context, io.output, io.output_gradient, io.output_gradient, GradientMode::Overwrite);
  if (options_.add && !io.passes_gradient(1))
    copy(context, io.output_gradient, io.input_gradients[1], io.input_modes[1]);
  if (weight_.trainable())
    plan_->backward_weights(context, io.inputs[0], io.output_gradient, weight_.gradient(),
                            bias_ ? bias_.gradient() : nullptr, io.param_mode, io.workspace);
  if (io.input_modes[0] != GradientMode::Ignore)
    plan_->backward_data(context, io.output_gradient,
                         packed_weights(context, *plan_, weight_, conv2d::Pass::BackwardData),
                         io.input_gradients[0], io.input_modes[0], io.workspace);
}

std::vector<Param> Conv2dLayer::params() const {
  return bias_ ? std::vector{weight_, bias_} : std::vector{weight_};
}

std::int64_t Conv2dLayer::multiply_adds() const {
  const Shape y = plan_->problem().y(), w = weight_.shape();
  return y.count() * w.h * w.w * w.c;
}

}  // namespace chiaro
