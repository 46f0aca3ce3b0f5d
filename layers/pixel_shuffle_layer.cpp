#include "layers/pixel_shuffle_layer.hpp"

#include <array>

#include "kernels/elementwise/elementwise.hpp"
#include "kernels/pixel_shuffle/pixel_shuffle.hpp"

namespace chiaro {

namespace {

constexpr int kPhases = 4;

}  // namespace

LayerSpec PixelShuffleLayer::setup(Context&, std::span<const TensorSpec> inputs) {
  require(inputs.size() == kPhases + (options_.add ? 1u : 0u), "pixel_shuffle: {} inputs", inputs.size());
  const TensorSpec& first = inputs[0];
  require(options_.channels > 0 && options_.first_channel + options_.channels <= first.shape.c,
          "pixel_shuffle: channels {} to {} of {}", options_.first_channel,
          options_.first_channel + options_.channels, first.shape.c);
  for (int i = 1; i < kPhases; ++i)
    require(inputs[i].shape == first.shape && inputs[i].dtype == first.dtype,
            "pixel_shuffle: phases of shapes {} and {}", to_string(first.shape), to_string(inputs[i].shape));
  LayerSpec spec;
  spec.output = {{first.shape.n, 2 * first.shape.h, 2 * first.shape.w, options_.channels}, first.dtype};
  require(
      !options_.add || (inputs[kPhases].shape == spec.output.shape && inputs[kPhases].dtype == first.dtype),
      "pixel_shuffle: the tensor to add does not have the output's shape {}", to_string(spec.output.shape));
  spec.backward_reads_output = options_.relu;
  return spec;
}

void PixelShuffleLayer::forward(Context& context, const NodeIo& io) {
  std::array<pixel_shuffle::Source, kPhases> sources;
  for (int i = 0; i < kPhases; ++i) sources[i] = {io.inputs[i], 0, 0, options_.first_channel};
  pixel_shuffle::forward(context, {.sources = sources,
                                   .add = options_.add ? io.inputs[kPhases] : ConstTensorView{},
                                   .y = io.output,
                                   .relu = options_.relu});
}

void PixelShuffleLayer::backward(Context& context, const NodeIo& io) {
  const TensorView add_gradient = options_.add ? io.input_gradients[kPhases] : TensorView{};
  const GradientMode add_mode = options_.add ? io.input_modes[kPhases] : GradientMode::Ignore;
  if (io.input_modes[0] == GradientMode::Ignore) {
    if (options_.relu)
      relu_backward(context, io.output, io.output_gradient, add_gradient, add_mode);
    else
      copy(context, io.output_gradient, add_gradient, add_mode);
    return;
  }
  // Every interleave layer on these phases owns a channel range of its own: where they leave gaps, the first
  // one clears them, and later ones write where there are zeros.
  const bool gaps = !options_.rest_is_taken && io.input_gradients[0].shape.c > options_.channels;
  std::array<pixel_shuffle::Target, kPhases> targets;
  for (int i = 0; i < kPhases; ++i) targets[i] = {io.input_gradients[i], 0, 0, options_.first_channel};
  pixel_shuffle::backward(context, {.dy = io.output_gradient,
                                    .targets = targets,
                                    .zero_rest = gaps && io.input_modes[0] == GradientMode::Overwrite,
                                    .y = options_.relu ? io.output : ConstTensorView{},
                                    .dadd = add_gradient,
                                    .dadd_mode = add_mode});
}

}  // namespace chiaro
