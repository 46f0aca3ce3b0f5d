#include "layers/instance_norm_layer.hpp"

#include "kernels/base/alignment.hpp"
#include "kernels/norm/row_mix.hpp"

namespace chiaro {

namespace {

// Saved tensors.
enum Saved { kMean, kRstd, kGamma, kBeta };

row_mix::Sizes mix_sizes(const ConstTensorView& shares, const Shape& x) {
  return {.pictures = x.n, .rows = shares.shape.c, .length = x.c};
}

}  // namespace

LayerSpec InstanceNormLayer::setup(Context& context, std::span<const TensorSpec> inputs) {
  const bool per_picture = attributes_.per_picture;
  const std::size_t fewest = per_picture ? 2 : 1;
  require(inputs.size() == fewest || inputs.size() == fewest + 1, "instance norm: {} inputs", inputs.size());
  const TensorSpec& x = inputs[0];
  const std::int64_t rows = per_picture ? inputs.back().shape.c : 1;
  const Shape parameters{rows, 1, 1, x.shape.c};
  require(gamma_.shape() == parameters && beta_.shape() == parameters,
          "instance norm: gamma is {} and beta {}, expected {}", to_string(gamma_.shape()),
          to_string(beta_.shape()), to_string(parameters));
  if (per_picture) {
    const TensorSpec& shares = inputs.back();
    require(shares.shape == Shape{x.shape.n, 1, 1, rows} && shares.dtype == DType::F32,
            "instance norm: shares of styles {}, expected ({},1,1,styles), fp32", to_string(shares.shape),
            x.shape.n);
  }
  if (has_residual(inputs.size())) {
    const Shape expected = attributes_.residual_pad.outer(x.shape);
    require(inputs[1].shape == expected && inputs[1].dtype == x.dtype,
            "instance norm: residual is {}, expected {}", to_string(inputs[1].shape), to_string(expected));
  }
  const std::int64_t vectors = x.shape.n * x.shape.c * 4;  // bytes
  own_workspace_ = align_up(instance_norm::backward_workspace_bytes(context, x.shape), alignment_of(context));
  LayerSpec spec;
  spec.output = {attributes_.out_pad.outer(x.shape), x.dtype};
  spec.saved_bytes.assign(per_picture ? 4 : 2, vectors);
  spec.backward_reads_inputs = {0};
  if (per_picture) spec.backward_reads_inputs.push_back(static_cast<int>(inputs.size()) - 1);
  spec.forward_workspace_bytes = instance_norm::forward_workspace_bytes(context, x.shape);
  spec.backward_workspace_bytes =
      own_workspace_ + (per_picture ? 2 * align_up(vectors, alignment_of(context)) : 0);
  return spec;
}

void InstanceNormLayer::forward(Context& context, const NodeIo& io) {
  const float *gamma = gamma_.value(), *beta = beta_.value();
  if (attributes_.per_picture) {
    const ConstTensorView& shares = io.inputs.back();
    const row_mix::Sizes sizes = mix_sizes(shares, io.inputs[0].shape);
    row_mix::forward(context, sizes, shares.as<float>(), gamma, static_cast<float*>(io.saved[kGamma]));
    row_mix::forward(context, sizes, shares.as<float>(), beta, static_cast<float*>(io.saved[kBeta]));
    gamma = static_cast<const float*>(io.saved[kGamma]);
    beta = static_cast<const float*>(io.saved[kBeta]);
  }
  instance_norm::forward(context,
                         {.x = io.inputs[0],
                          .gamma = gamma,
                          .beta = beta,
                          .residual = has_residual(io.inputs.size()) ? io.inputs[1] : ConstTensorView{},
                          .y = io.output,
                          .mean = static_cast<float*>(io.saved[kMean]),
                          .rstd = static_cast<float*>(io.saved[kRstd]),
                          .workspace = io.workspace,
                          .attr = attributes_});
}

void InstanceNormLayer::backward(Context& context, const NodeIo& io) {
  const bool residual = has_residual(io.inputs.size()), per_picture = attributes_.per_picture;
  instance_norm::BackwardArgs args{.x = io.inputs[0],
                                   .gamma = gamma_.value(),
                                   .beta = beta_.value(),
                                   .mean = static_cast<const float*>(io.saved[kMean]),
                                   .rstd = static_cast<const float*>(io.saved[kRstd]),
                                   .dy = io.output_gradient,
                                   .dx = io.input_gradients[0],
                                   .dx_mode = io.input_modes[0],
                                   .dgamma = gamma_.trainable() ? gamma_.gradient() : nullptr,
                                   .dbeta = beta_.trainable() ? beta_.gradient() : nullptr,
                                   .param_mode = io.param_mode,
                                   .dresidual = residual ? io.input_gradients[1] : TensorView{},
                                   .dresidual_mode = residual ? io.input_modes[1] : GradientMode::Ignore,
                                   .workspace = io.workspace,
                                   .attr = attributes_};
  if (!per_picture) return instance_norm::backward(context, args);

  const ConstTensorView& shares = io.inputs.back();
  const row_mix::Sizes sizes = mix_sizes(shares, args.x.shape);
  const std::int64_t vectors = align_up(sizes.pictures * sizes.length * 4, alignment_of(context));
  args.gamma = static_cast<const float*>(io.saved[kGamma]);
  args.beta = static_cast<const float*>(io.saved[kBeta]);
  args.dgamma = reinterpret_cast<float*>(static_cast<std::byte*>(io.workspace) + own_workspace_);
  args.dbeta = reinterpret_cast<float*>(static_cast<std::byte*>(io.workspace) + own_workspace_ + vectors);
  if (args.param_mode != GradientMode::Ignore) args.param_mode = GradientMode::Overwrite;
  instance_norm::backward(context, args);
  if (io.param_mode == GradientMode::Ignore) return;
  row_mix::backward(context, sizes, shares.as<float>(), args.dgamma, gamma_.gradient(), io.param_mode);
  row_mix::backward(context, sizes, shares.as<float>(), args.dbeta, beta_.gradient(), io.param_mode);
}

}  // namespace chiaro
