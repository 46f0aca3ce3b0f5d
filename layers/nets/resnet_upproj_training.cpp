#include "layers/nets/resnet_upproj_training.hpp"

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

std::string after(const std::string& text, const std::string& prefix) {
  return text.substr(prefix.size());
}

// Appends the network, feature by feature in the order of resnet_upproj_feature_names().
class TrainingBuilder {
 public:
  TrainingBuilder(Graph& graph, ParamStore& params, ParamStore& statistics, const ResnetUpprojConfig& config,
                  float momentum)
      : graph_(graph), params_(params), statistics_(statistics), config_(config), momentum_(momentum) {
    for (auto& [name, shape] : resnet_upproj_parameters(config)) shapes_[name] = std::move(shape);
  }

  TensorId build(TensorId picture, DType dtype) {
    x_ = graph_.add("preprocess", std::make_unique<PreprocessLayer>(config_.preprocess, dtype), {picture});
    for (const std::string& feature : resnet_upproj_feature_names(config_)) {
      if (feature == "conv1")
        x_ = normalize("bn_conv1", convolve("conv1", x_, {.stride = 2, .pad = {3, 3, 3, 3}}), true);
      else if (feature == "pool1")
        x_ = graph_.add("pool1", std::make_unique<MaxPoolLayer>(max_pool::tf_same(graph_.shape(x_), 3, 2)),
                        {x_});
      else if (feature.starts_with("res"))
        x_ = bottleneck(after(feature, "res"));
      else if (feature == "layer1")
        x_ = normalize("layer1_BN", convolve("layer1", x_, {}), false);
      else if (feature.starts_with("up_"))
        x_ = up_project("layer" + after(feature, "up_"));
      else
        x_ = predict();
    }
    return x_;
  }

 private:
  Param weight(const std::string& scope) {
    const Extents& e = shapes_.at(scope + ".weight");
    return add_param(params_, scope + ".weight", {e[0], e[1], e[2], e[3]});
  }

  TensorId convolve(const std::string& scope, TensorId x, Conv2dOptions options) {
    return graph_.add(scope, std::make_unique<Conv2dLayer>(weight(scope), Param{}, options), {x});
  }

  // residual: a tensor to add before the ReLU, or -1.
  TensorId normalize(const std::string& scope, TensorId x, bool relu, TensorId residual = -1) {
    const Shape shape{1, 1, 1, shapes_.at(scope + ".scale")[0]};
    auto layer = std::make_unique<BatchNormLayer>(
        add_param(params_, scope + ".scale", shape), add_param(params_, scope + ".offset", shape),
        add_param(statistics_, scope + ".mean", shape), add_param(statistics_, scope + ".variance", shape),
        BatchNormOptions{.momentum = momentum_, .relu = relu});
    return graph_.add(scope, std::move(layer), residual < 0 ? std::vector{x} : std::vector{x, residual});
  }

  // id: stage and block, "3a". The first block of a stage projects its shortcut; from stage 3 on it strides.
  TensorId bottleneck(const std::string& id) {
    const std::string res = "res" + id + "_branch", bn = "bn" + id + "_branch";
    const bool first = id.back() == 'a';
    const std::int64_t stride = first && id.front() > '2' ? 2 : 1;
    const TensorId shortcut =
        first ? normalize(bn + "1", convolve(res + "1", x_, {.stride = stride}), false) : x_;
    TensorId y = normalize(bn + "2a", convolve(res + "2a", x_, {.stride = stride}), true);
    y = normalize(bn + "2b", convolve(res + "2b", y, {.pad = {1, 1, 1, 1}}), true);
    return normalize(bn + "2c", convolve(res + "2c", y, {}), true, shortcut);
  }

  // One border of a kernel of two taps is padded, both of three.
  conv2d::Padding tap_padding(std::int64_t r, std::int64_t s) const {
    const bool nyu = config_.padding == ResnetUpprojConfig::Side::Nyu;
    const auto before = [&](std::int64_t extent) { return extent == 3 || nyu ? 1 : 0; };
    const auto behind = [&](std::int64_t extent) { return extent == 3 || !nyu ? 1 : 0; };
    return {before(r), behind(r), before(s), behind(s)};
  }

  TensorId branch(const std::string& scope, bool relu) {
    std::vector<TensorId> phases;
    for (const char letter : {'A', 'C', 'B', 'D'}) {  // phases (0,0) (0,1) (1,0) (1,1)
      const std::string name = fmt::format("{}_Conv{}", scope, letter);
      const Extents& e = shapes_.at(name + ".weight");
      phases.push_back(convolve(name, x_, {.pad = tap_padding(e[1], e[2])}));
    }
    const PixelShuffleOptions options{.channels = graph_.shape(phases[0]).c};
    const TensorId whole =
        graph_.add(scope + "_interleave", std::make_unique<PixelShuffleLayer>(options), phases);
    return normalize(scope + "_BN", whole, relu);
  }

  TensorId up_project(const std::string& layer) {
    const TensorId shortcut = branch(layer + "_br2", false);
    const TensorId y = convolve(layer + "_Conv", branch(layer + "_br1", true), {.pad = {1, 1, 1, 1}});
    return normalize(layer + "_BN", y, true, shortcut);
  }

  TensorId predict() {
    const Param bias = add_param(params_, "ConvPred.bias", {1, 1, 1, 1});
    const Conv2dOptions options{.pad = {1, 1, 1, 1}, .relu = true, .output_dtype = DType::F32};
    return graph_.add("ConvPred", std::make_unique<Conv2dLayer>(weight("ConvPred"), bias, options), {x_});
  }

  Graph& graph_;
  ParamStore &params_, &statistics_;
  const ResnetUpprojConfig& config_;
  const float momentum_;
  std::map<std::string, Extents> shapes_;
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

std::uint32_t stream_of(const std::string& name) {
  std::uint32_t hash = 0x811c9dc5u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193u;
  return hash;
}

// Box-Muller, two 32-bit numbers for each value.
void fill_normal(std::span<float> values, double deviation, const Rng& rng) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const PhiloxBlock bits = rng(i);
    const double u = (bits[0] + 1.0) * 0x1p-32, angle = 2 * std::numbers::pi * (bits[1] * 0x1p-32);
    values[i] = static_cast<float>(deviation * std::sqrt(-2 * std::log(u)) * std::cos(angle));
  }
}

// bn_conv1 for conv1, bn2a_branch1 for res2a_branch1.
std::string encoder_norm(const std::string& convolution) {
  return convolution == "conv1" ? "bn_conv1" : "bn" + after(convolution, "res");
}

}  // namespace

TensorId build_resnet_upproj_training(Graph& graph, ParamStore& params, ParamStore& statistics,
                                      TensorId picture, const ResnetUpprojConfig& config, DType dtype,
                                      float momentum) {
  return TrainingBuilder(graph, params, statistics, config, momentum).build(picture, dtype);
}

void initialize_resnet_upproj(ParamStore& params, ParamStore& statistics, const ResnetUpprojConfig& config,
                              std::uint64_t seed) {
  for (const auto& [name, shape] : resnet_upproj_parameters(config)) {
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

void load_encoder(ParamStore& params, ParamStore& statistics, const ResnetUpprojConfig& config,
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
  for (const auto& [name, shape] : resnet_upproj_parameters(config)) {
    const bool is_encoder = name == "conv1.weight" || (name.starts_with("res") && name.ends_with(".weight"));
    if (!is_encoder || (name.starts_with("res5") && !has_stage5)) continue;
    const std::string convolution = name.substr(0, name.rfind('.')), norm = encoder_norm(convolution);
    const Extents channels{shape[0]};
    copy(name, shape);
    for (const char* part : {".scale", ".offset", ".mean", ".variance"}) copy(norm + part, channels);
    if (const NamedTensor* bias = find(convolution + ".bias", channels)) {
      const auto mean = values_of(params, statistics, norm + ".mean");
      for (std::size_t k = 0; k < mean.size(); ++k) mean[k] -= bias->values[k];
    }
  }
  params.values_changed();
  statistics.values_changed();
}

std::vector<NamedTensor> resnet_upproj_file_tensors(const ParamStore& params, const ParamStore& statistics,
                                                    const ResnetUpprojConfig& config) {
  std::vector<NamedTensor> tensors;
  for (const auto& [name, shape] : resnet_upproj_parameters(config)) {
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
