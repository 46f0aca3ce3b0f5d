#include "layers/gram_loss_layers.hpp"

#include <algorithm>

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

Shape gram_shape(const Shape& x) {
  return {x.n, x.c, x.c, 1};
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

// Saved: the Gram matrices of x, then their gradient in the same place.
LayerSpec NmseGramLossLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  require(inputs.size() == 2, "relative Gram loss: {} inputs", inputs.size());
  const Shape& x = inputs[0].shape;
  require(x == inputs[1].shape, "relative Gram loss: features {} against {}", to_string(x),
          to_string(inputs[1].shape));
  const std::int64_t gram_bytes = gram_shape(x).count() * 4;
  LayerSpec spec;
  spec.output = kScalar;
  spec.saved_bytes = {gram_bytes};
  spec.backward_reads_inputs = {0};
  spec.forward_workspace_bytes = align_up(gram_bytes, alignment_of(context)) +
                                 std::max(gram::forward_workspace_bytes(context, x),
                                          losses::nmse_workspace_bytes(context, gram_shape(x)));
  spec.backward_workspace_bytes = gram::backward_workspace_bytes(context, x, inputs[0].dtype);
  return spec;
}

void NmseGramLossLayer::forward(Context& context, const NodeIo& io) {
  const Shape& x = io.inputs[0].shape;
  const auto scale = static_cast<float>(gram_scale(x));
  const TensorView g{io.saved[0], DType::F32, gram_shape(x)}, wanted{io.workspace, DType::F32, gram_shape(x)};
  void* workspace = static_cast<std::byte*>(io.workspace) + align_up(wanted.bytes(), alignment_of(context));
  gram::forward(context, io.inputs[0], g.as<float>(), scale, workspace);
  gram::forward(context, io.inputs[1], wanted.as<float>(), scale, workspace);
  const double mean = options_.layer_weight / static_cast<double>(x.n);
  losses::nmse(context, g, wanted,
               {.value = io.output.as<float>(),
                .scale = mean,
                .gradient = g,
                .mode = GradientMode::Overwrite,
                .gradient_scale = options_.weight * mean,
                .workspace = workspace});
}

void NmseGramLossLayer::backward(Context& context, const NodeIo& io) {
  require(io.input_modes[1] == GradientMode::Ignore, "relative Gram loss: the target needs no gradient");
  const ConstTensorView& x = io.inputs[0];
  gram::backward(context, x, static_cast<const float*>(io.saved[0]), static_cast<float>(gram_scale(x.shape)),
                 io.input_gradients[0], io.input_modes[0], io.workspace);
}

}  // namespace chiaro
