#include "layers/picture_layers.hpp"

#include "kernels/elementwise/elementwise.hpp"
#include "kernels/pad/pad.hpp"

namespace chiaro {

LayerSpec PadLayer::setup(Context&, std::span<const TensorSpec> inputs) {
  LayerSpec spec;
  spec.output = {pad_.outer(inputs[0].shape), output_dtype_};
  return spec;
}
void PadLayer::forward(Context& context, const NodeIo& io) {
  pad::forward(context, io.inputs[0], io.output, pad_);
}
void PadLayer::backward(Context& context, const NodeIo& io) {
  pad::backward(context, io.output_gradient, io.input_gradients[0], io.input_modes[0], pad_);
}

LayerSpec CropLayer::setup(Context&, std::span<const TensorSpec> inputs) {
  const Shape x = inputs[0].shape;
  require(height_ <= x.h && width_ <= x.w, "crop: {}x{} pixels asked of {}", height_, width_, to_string(x));
  LayerSpec spec;
  spec.output = {{x.n, height_, width_, x.c}, inputs[0].dtype};
  return spec;
}
void CropLayer::forward(Context& context, const NodeIo& io) {
  pad::crop_forward(context, io.inputs[0], io.output, 0, 0);
}
void CropLayer::backward(Context& context, const NodeIo& io) {
  pad::crop_backward(context, io.output_gradient, io.input_gradients[0], io.input_modes[0], 0, 0);
}

LayerSpec PreprocessLayer::setup(Context&, std::span<const TensorSpec> inputs) {
  require(inputs[0].shape.c == 3, "preprocess: {} channels, expected 3", inputs[0].shape.c);
  LayerSpec spec;
  spec.output = {inputs[0].shape, output_dtype_};
  return spec;
}
const float* PreprocessLayer::mean(Context& context) {
  if (!on_device_) {
    on_device_ = Buffer(sizeof constants_, "means and scales of channels", compute_memory(context));
    copy_async(context, on_device_.data(), constants_.data(), on_device_.bytes());
  }
  return on_device_.as<float>();
}
void PreprocessLayer::forward(Context& context, const NodeIo& io) {
  channel_affine_forward(context, io.inputs[0], mean(context), scale(context), io.output);
}
void PreprocessLayer::backward(Context& context, const NodeIo& io) {
  channel_affine_backward(context, io.output_gradient, scale(context), io.input_gradients[0],
                          io.input_modes[0]);
}

LayerSpec TanhOutputLayer::setup(Context&, std::span<const TensorSpec> inputs) {
  LayerSpec spec;
  spec.output = inputs[0];
  spec.backward_reads_output = true;
  return spec;
}
void TanhOutputLayer::forward(Context& context, const NodeIo& io) {
  tanh_output_forward(context, io.inputs[0], io.output);
}
void TanhOutputLayer::backward(Context& context, const NodeIo& io) {
  tanh_output_backward(context, io.output, io.output_gradient, io.input_gradients[0], io.input_modes[0]);
}

}  // namespace chiaro
