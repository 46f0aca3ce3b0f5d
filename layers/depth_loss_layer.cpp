#include "layers/depth_loss_layer.hpp"

#include "kernels/losses/berhu.hpp"

namespace chiaro {

LayerSpec DepthLossLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  require(inputs.size() == 2, "depth loss: {} inputs", inputs.size());
  require(inputs[0].shape == inputs[1].shape, "depth loss: the prediction is {}, the target {}",
          to_string(inputs[0].shape), to_string(inputs[1].shape));
  require(inputs[0].shape.c == 1, "depth loss: {} channels, expected one", inputs[0].shape.c);
  require(inputs[1].dtype == DType::F32, "depth loss: the target is {}, expected fp32",
          name_of(inputs[1].dtype));
  LayerSpec spec;
  spec.output = {{1, 1, 1, 1}, DType::F32};
  spec.saved_bytes = {losses::kBerhuStateSize * 4};
  spec.backward_reads_inputs = {0, 1};
  spec.forward_workspace_bytes = losses::berhu_workspace_bytes(context, inputs[0].shape);
  return spec;
}

void DepthLossLayer::forward(Context& context, const NodeIo& io) {
  losses::berhu_forward(context, io.inputs[0], io.inputs[1], options_.layer_weight, io.output.as<float>(),
                        static_cast<float*>(io.saved[0]), io.workspace);
}

void DepthLossLayer::backward(Context& context, const NodeIo& io) {
  require(io.input_modes[1] == GradientMode::Ignore, "depth loss: the target needs no gradient");
  losses::berhu_backward(context, io.inputs[0], io.inputs[1], static_cast<const float*>(io.saved[0]),
                         options_.weight * options_.layer_weight, io.input_gradients[0], io.input_modes[0]);
}

}  // namespace chiaro
