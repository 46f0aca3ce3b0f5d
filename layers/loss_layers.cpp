#include "layers/loss_layers.hpp"

#include "kernels/base/alignment.hpp"
#include "kernels/gram/gram.hpp"
#include "kernels/gram/style_loss.hpp"
#include "kernels/losses/losses.hpp"
#include "kernels/norm/row_mix.hpp"

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
  require(inputs.size() == 1 || inputs.size() == 2, "style loss: {} inputs", inputs.size());
  const Shape& x = inputs[0].shape;
  const std::int64_t styles = inputs.size() == 2 ? inputs[1].shape.c : 1, gram_bytes = x.c * x.c * 4;
  require(targets_.grams.bytes() == styles * gram_bytes,
          "style loss: the target Gram matrices are not those of {} styles with {} channels", styles, x.c);
  own_workspace_ = align_up(gram::style_loss_workspace_bytes(context, x), alignment_of(context));
  LayerSpec spec;
  spec.output = kScalar;
  spec.saved_bytes = {x.n * gram_bytes};
  spec.backward_reads_inputs = {0};
  spec.forward_workspace_bytes = own_workspace_;
  if (inputs.size() == 2) {
    require(inputs[1].shape == Shape{x.n, 1, 1, styles} && inputs[1].dtype == DType::F32,
            "style loss: shares of styles {}, expected ({},1,1,styles), fp32", to_string(inputs[1].shape),
            x.n);
    require(targets_.weights.bytes() == styles * 4, "style loss: {} styles without a weight each", styles);
    spec.output.shape.n = x.n;
    spec.forward_workspace_bytes += align_up(x.n * gram_bytes, alignment_of(context)) + x.n * 4;
  }
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
  gram::StyleLossArgs args{.f = x,
                           .target = targets_.grams.as<const float>(),
                           .scale = static_cast<float>(gram_scale(x.shape)),
                           .coefficient = coefficient(x.shape),
                           .gradient_coefficient = options_.weight * coefficient(x.shape),
                           .value = io.output.as<float>(),
                           .dg = static_cast<float*>(io.saved[0]),
                           .workspace = io.workspace};
  if (io.inputs.size() == 2) {
    const ConstTensorView& shares = io.inputs[1];
    row_mix::Sizes sizes{.pictures = x.shape.n, .rows = shares.shape.c, .length = x.shape.c * x.shape.c};
    auto* grams = reinterpret_cast<float*>(static_cast<std::byte*>(io.workspace) + own_workspace_);
    auto* weights = grams + align_up(sizes.pictures * sizes.length * 4, alignment_of(context)) / 4;
    row_mix::forward(context, sizes, shares.as<float>(), args.target, grams);
    sizes.length = 1;
    row_mix::forward(context, sizes, shares.as<float>(), targets_.weights.as<const float>(), weights);
    args.per_picture = true;
    args.target = grams;
    args.k = weights;
  }
  gram::style_loss(context, args);
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

LayerSpec RangeLossLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  require(inputs.size() == 1, "range loss: {} inputs", inputs.size());
  LayerSpec spec;
  spec.output = kScalar;
  spec.backward_reads_inputs = {0};
  spec.forward_workspace_bytes = losses::range_workspace_bytes(context, inputs[0].shape);
  spec.backward_workspace_bytes = spec.forward_workspace_bytes;
  return spec;
}

void RangeLossLayer::forward(Context& context, const NodeIo& io) {
  losses::range(context, {.x = io.inputs[0],
                          .scale = scale(io.inputs[0].shape),
                          .value = io.output.as<float>(),
                          .workspace = io.workspace});
}

void RangeLossLayer::backward(Context& context, const NodeIo& io) {
  losses::range(context, {.x = io.inputs[0],
                          .scale = scale(io.inputs[0].shape),
                          .weight = options_.weight,
                          .value = io.value_wanted ? io.output.as<float>() : nullptr,
                          .workspace = io.workspace,
                          .dx = io.input_gradients[0],
                          .mode = io.input_modes[0]});
}

}  // namespace chiaro
