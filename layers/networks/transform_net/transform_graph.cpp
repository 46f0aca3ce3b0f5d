#include "layers/networks/transform_net/transform_graph.hpp"

#include <algorithm>
#include <cmath>

#include "engine/rng.hpp"
#include "layers/conv2d_layer.hpp"
#include "layers/conv_transpose2d_layer.hpp"
#include "layers/instance_norm_layer.hpp"
#include "layers/picture_layers.hpp"
#include "layers/upsample_conv_layer.hpp"

namespace chiaro {

namespace {

// 150 x + 127.5, as (x - mean) * scale.
const Preprocess kScale150{.mean = {-0.85, -0.85, -0.85}, .scale = {150, 150, 150}};

// Appends a layer or two for every stage, keeping track of the tensor so far.
class TransformNetBuilder {
 public:
  TransformNetBuilder(Graph& graph, ParamStore& store, const TransformNet& network, DType dtype,
                      TensorId shares)
      : graph_(graph), store_(store), network_(network), dtype_(dtype), shares_(shares) {
    for (ParameterShape& p : parameters(network)) shapes_[p.name] = std::move(p.shape);
  }

  TensorId build(TensorId picture) {
    const Shape shape = graph_.shape(picture);
    require(shape.c == 3 && shape.h >= kTransformNetMinimumSize && shape.w >= kTransformNetMinimumSize,
            "transform network: picture {}, expected 3 channels and at least {}x{} pixels", to_string(shape),
            kTransformNetMinimumSize, kTransformNetMinimumSize);
    require(network_.rows() == 1 || shares_ >= 0, "transform network: {} styles, but no shares of them",
            network_.rows());
    const auto list = stages(network_);
    TensorId x = picture, skip = -1;
    Pad skip_pad;
    const std::int64_t extra_h = (4 - shape.h % 4) % 4, extra_w = (4 - shape.w % 4) % 4;
    if (extra_h || extra_w)
      x = graph_.add("whole", std::make_unique<PadLayer>(Pad{0, extra_h, 0, extra_w}, DType::F32), {x});
    x = graph_.add("picture", std::make_unique<PadLayer>(pad_before(list[0]), dtype_), {x});
    for (std::size_t i = 0; i < list.size(); ++i) {
      const TransformStage& s = list[i];
      if (s.opens_block) skip = x, skip_pad = pad_before(s);
      x = convolve(s, x);
      if (s.is_last()) break;
      const Pad out_pad = pad_before(list[i + 1]);
      x = s.closes_block ? normalize(s, {x, skip}, {.out_pad = out_pad, .residual_pad = skip_pad})
                         : normalize(s, {x}, {.relu = s.relu, .out_pad = out_pad});
    }
    if (network_.output == OutputRange::Tanh150)
      x = graph_.add("range", std::make_unique<TanhOutputLayer>(), {x});
    if (network_.output == OutputRange::Scaled150)
      x = graph_.add("range", std::make_unique<PreprocessLayer>(kScale150, DType::F32), {x});
    if (extra_h || extra_w) x = graph_.add("crop", std::make_unique<CropLayer>(shape.h, shape.w), {x});
    return x;
  }

 private:
  // What the layer before a stage writes around its output, so that the convolution needs no zeros.
  Pad pad_before(const TransformStage& s) const {
    if (network_.padding == Padding::Zero) return {};
    if (!s.up) return Pad::uniform(s.extent / 2);
    return network_.upsample == Upsample::Nearest ? Pad::uniform(1, PadMode::Replicate) : Pad{};
  }

  Param param(const std::string& name) { return declare(store_, {name, shapes_.at(name)}); }

  TensorId convolve(const TransformStage& s, TensorId x) {
    const bool zero = network_.padding == Padding::Zero;
    const Param weight = param(s.conv + ".weight");
    if (s.up && network_.upsample == Upsample::Transposed)
      return graph_.add(s.conv, std::make_unique<ConvTranspose2dLayer>(weight), {x});
    if (s.up) return graph_.add(s.conv, std::make_unique<UpsampleConvLayer>(weight, zero), {x});
    const Param bias = s.is_last() ? param(s.conv + ".bias") : Param{};
    const std::int64_t pad = zero ? s.extent / 2 : 0;
    Conv2dOptions options{.stride = s.stride, .pad = {pad, pad, pad, pad}};
    if (s.is_last()) options.output_dtype = DType::F32;
    return graph_.add(s.conv, std::make_unique<Conv2dLayer>(weight, bias, options), {x});
  }

  TensorId normalize(const TransformStage& s, std::vector<TensorId> inputs,
                     instance_norm::Attributes attributes) {
    attributes.eps = static_cast<float>(network_.norm_eps);
    attributes.per_picture = network_.rows() > 1;
    if (attributes.per_picture) inputs.push_back(shares_);
    const Param gamma = param(s.norm + ".gamma"), beta = param(s.norm + ".beta");
    return graph_.add(s.norm, std::make_unique<InstanceNormLayer>(gamma, beta, attributes),
                      std::move(inputs));
  }

  Graph& graph_;
  ParamStore& store_;
  const TransformNet& network_;
  DType dtype_;
  TensorId shares_;
  std::map<std::string, std::vector<std::int64_t>> shapes_;
};

}  // namespace

TensorId build_transform_net(Graph& graph, ParamStore& store, TensorId picture, const TransformNet& network,
                             DType dtype, TensorId shares) {
  require(network.width > 0 && network.residual_blocks >= 0,
          "transform network: width {}, {} residual blocks", network.width, network.residual_blocks);
  return TransformNetBuilder(graph, store, network, dtype, shares).build(picture);
}

void declare_transform_net(ParamStore& store, const TransformNet& network) {
  for (const ParameterShape& parameter : parameters(network)) declare(store, parameter);
}

void initialize_transform_net(ParamStore& store, const TransformNet& network, std::uint64_t seed) {
  for (int i = 0; i < static_cast<int>(store.entries().size()); ++i) {
    const auto& entry = store.entries()[static_cast<std::size_t>(i)];
    float* value = store.value(i);
    const std::int64_t count = entry.shape.count();
    if (entry.name.ends_with(".gamma")) {
      std::fill_n(value, count, 1.f);
    } else if (entry.name.ends_with(".beta")) {
      std::fill_n(value, count, 0.f);
    } else if (entry.name.ends_with(".bias")) {
      std::fill_n(value, count, network.output == OutputRange::Linear ? 127.5f : 0.f);
    } else {
      const Rng rng(seed, stream_of(entry.name));
      const double bound = 1 / std::sqrt(static_cast<double>(entry.shape.count() / entry.shape.n));
      for (std::int64_t j = 0; j < count; ++j)
        value[j] = static_cast<float>(bound * (2.0 * rng.uniform(static_cast<std::uint64_t>(j)) - 1.0));
    }
  }
  store.values_changed();
}

}  // namespace chiaro
