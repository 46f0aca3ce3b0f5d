#include "layers/networks/resnet_upproj/upproj_training.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/rng.hpp"
#include "layers/batch_norm_layer.hpp"
#include "layers/conv2d_layer.hpp"
#include "layers/max_pool_layer.hpp"
#include "layers/picture_layers.hpp"
#include "layers/pixel_shuffle_layer.hpp"

namespace chiaro {

namespace {

constexpr float kPredictionBias = 2.5f;  // meters

using Extents = std::vector<std::int64_t>;

// Appends the network in training form, stage by stage.
class TrainingBuilder {
 public:
  TrainingBuilder(Graph& graph, ParamStore& params, ParamStore& statistics, const ResnetUpproj& network,
                  float momentum)
      : graph_(graph), params_(params), statistics_(statistics), network_(network), momentum_(momentum) {}

  TensorId build(TensorId picture, DType dtype) {
    const UpprojStages all = stages(network_);
    x_ = graph_.add("preprocess", std::make_unique<PreprocessLayer>(network_.preprocess, dtype), {picture});
    x_ = normalized(all.conv1, x_, true);
    x_ = graph_.add("pool1", std::make_unique<MaxPoolLayer>(max_pool::tf_same(graph_.shape(x_), 3, 2)), {x_});
    for (const UpprojBottleneck& b : all.bottlenecks) {
      const TensorId shortcut = b.shortcut ? normalized(*b.shortcut, x_, false) : x_;
      const TensorId y = normalized(b.b, normalized(b.a, x_, true), true);
      x_ = normalize(b.c, convolve(b.c, y), true, shortcut);
    }
    x_ = normalized(all.layer1, x_, false);
    for (const UpProjection& up : all.up_projections) {
      const TensorId shortcut = branch(up.shortcut, up.scope + "_br2", false);
      const TensorId y = convolve(up.conv, branch(up.main, up.scope + "_br1", true));
      x_ = normalize(up.conv, y, true, shortcut);
    }
    return predict(all.prediction);
  }

 private:
  Param weight(const UpprojConvolution& conv) {
    return declare(params_, {conv.scope + ".weight", {conv.k, conv.r, conv.s, conv.c}});
  }

  TensorId convolve(const UpprojConvolution& conv, TensorId x) {
    const Conv2dOptions options{.stride = conv.stride, .pad = conv.pad};
    return graph_.add(conv.scope, std::make_unique<Conv2dLayer>(weight(conv), Param{}, options), {x});
  }

  // residual: a tensor to add before the ReLU, or -1.
  TensorId normalize(const UpprojConvolution& conv, TensorId x, bool relu, TensorId residual = -1) {
    const auto vector = [&](ParamStore& store, const char* part) {
      return declare(store, {conv.norm + part, {conv.k}});
    };
    const Param scale = vector(params_, ".scale"), offset = vector(params_, ".offset");
    const Param mean = vector(statistics_, ".mean"), variance = vector(statistics_, ".variance");
    auto layer = std::make_unique<BatchNormLayer>(scale, offset, mean, variance,
                                                  BatchNormOptions{.momentum = momentum_, .relu = relu});
    return graph_.add(conv.norm, std::move(layer), residual < 0 ? std::vector{x} : std::vector{x, residual});
  }
  TensorId normalized(const UpprojConvolution& conv, TensorId x, bool relu) {
    return normalize(conv, convolve(conv, x), relu);
  }

  TensorId branch(const std::array<UpprojConvolution, 4>& taps, const std::string& scope, bool relu) {
    std::vector<TensorId> phases;
    for (const UpprojConvolution& tap : taps) phases.push_back(convolve(tap, x_));
    const PixelShuffleOptions options{.channels = taps[0].k};
    const TensorId whole =
        graph_.add(scope + "_interleave", std::make_unique<PixelShuffleLayer>(options), phases);
    return normalize(taps[0], whole, relu);
  }

  TensorId predict(const UpprojConvolution& conv) {
    const Param bias = declare(params_, {conv.scope + ".bias", {conv.k}});
    const Conv2dOptions options{.pad = conv.pad, .relu = true, .output_dtype = DType::F32};
    return graph_.add(conv.scope, std::make_unique<Conv2dLayer>(weight(conv), bias, options), {x_});
  }

  Graph& graph_;
  ParamStore &params_, &statistics_;
  const ResnetUpproj& network_;
  const float momentum_;
  TensorId x_ = -1;
};

// The values of a parameter or statistic, wherever it is; empty when neither store declares it.
std::span<float> find_values(const ParamStore& params, const ParamStore& statistics,
                             const std::string& name) {
  for (const ParamStore* store : {&params, &statistics})
    if (const auto* entry = store->find(name))
      return store->values().subspan(static_cast<std::size_t>(entry->offset),
                                     static_cast<std::size_t>(entry->shape.count()));
  return {};
}

std::span<float> values_of(const ParamStore& params, const ParamStore& statistics, const std::string& name) {
  const auto values = find_values(params, statistics, name);
  require(!values.empty(), "ResNet-UpProj: the network was not built with '{}'", name);
  return values;
}

// Box-Muller, two 32-bit numbers for each value.
void fill_normal(std::span<float> values, double deviation, const Rng& rng) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const PhiloxBlock bits = rng(i);
    const double u = (bits[0] + 1.0) * 0x1p-32, angle = 2 * std::numbers::pi * (bits[1] * 0x1p-32);
    values[i] = static_cast<float>(deviation * std::sqrt(-2 * std::log(u)) * std::cos(angle));
  }
}

}  // namespace

TensorId build_resnet_upproj_training(Graph& graph, ParamStore& params, ParamStore& statistics,
                                      TensorId picture, const ResnetUpproj& config, DType dtype,
                                      float momentum) {
  return TrainingBuilder(graph, params, statistics, config, momentum).build(picture, dtype);
}

void initialize_resnet_upproj(ParamStore& params, ParamStore& statistics, const ResnetUpproj& config,
                              std::uint64_t seed) {
  for (const auto& [name, shape] : parameters(config)) {
    if (name.ends_with(".bias") && name != "ConvPred.bias") continue;
    const auto values = values_of(params, statistics, name);
    if (name.ends_with(".weight"))
      fill_normal(values, std::sqrt(2.0 * double(shape[0]) / double(values.size())),
                  Rng(seed, stream_of(name)));
    else if (name == "ConvPred.bias")
      std::fill(values.begin(), values.end(), kPredictionBias);
    else
      std::fill(values.begin(), values.end(),
                name.ends_with(".scale") || name.ends_with(".variance") ? 1.f : 0.f);
  }
  params.values_changed();
  statistics.values_changed();
}

void load_encoder(ParamStore& params, ParamStore& statistics, const ResnetUpproj& config,
                  const std::vector<NamedTensor>& tensors, const std::string& file) {
  std::map<std::string, const NamedTensor*> given;
  bool has_stage5 = false;
  for (const NamedTensor& tensor : tensors) {
    given[tensor.name] = &tensor;
    has_stage5 |= tensor.name.starts_with("res5");
  }
  // Null when absent.
  const auto find = [&](const std::string& name, const Extents& shape) -> const NamedTensor* {
    const auto it = given.find(name);
    if (it == given.end()) return nullptr;
    require(it->second->shape == shape, "{}: tensor '{}' has shape ({}), expected ({})", file, name,
            fmt::join(it->second->shape, ","), fmt::join(shape, ","));
    return it->second;
  };
  const auto copy = [&](const std::string& name, const Extents& shape) {
    const NamedTensor* tensor = find(name, shape);
    require(tensor != nullptr, "{}: tensor '{}' of the encoder is missing", file, name);
    std::copy(tensor->values.begin(), tensor->values.end(), values_of(params, statistics, name).begin());
  };
  const auto take = [&](const UpprojConvolution& conv) {
    if (conv.scope.starts_with("res5") && !has_stage5) return;
    const Extents channels{conv.k};
    copy(conv.scope + ".weight", {conv.k, conv.r, conv.s, conv.c});
    for (const char* part : {".scale", ".offset", ".mean", ".variance"}) copy(conv.norm + part, channels);
    if (const NamedTensor* bias = find(conv.scope + ".bias", channels)) {
      const auto mean = values_of(params, statistics, conv.norm + ".mean");
      for (std::size_t k = 0; k < mean.size(); ++k) mean[k] -= bias->values[k];
    }
  };
  const UpprojStages all = stages(config);
  take(all.conv1);
  for (const UpprojBottleneck& b : all.bottlenecks) {
    if (b.shortcut) take(*b.shortcut);
    for (const UpprojConvolution* conv : {&b.a, &b.b, &b.c}) take(*conv);
  }
  params.values_changed();
  statistics.values_changed();
}

std::vector<NamedTensor> resnet_upproj_file_tensors(const ParamStore& params, const ParamStore& statistics,
                                                    const ResnetUpproj& config) {
  std::vector<NamedTensor> tensors;
  for (const auto& [name, shape] : parameters(config)) {
    NamedTensor tensor{name, shape, {}};
    if (name.ends_with(".bias") && find_values(params, statistics, name).empty()) {
      tensor.values.assign(static_cast<std::size_t>(shape[0]), 0.f);
    } else {
      const auto values = values_of(params, statistics, name);
      tensor.values.assign(values.begin(), values.end());
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace chiaro
