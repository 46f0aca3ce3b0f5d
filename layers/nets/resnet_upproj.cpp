#include "layers/nets/resnet_upproj.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <functional>
#include <span>
#include <utility>

#include "kernels/norm/batch_norm.hpp"
#include "layers/conv2d_layer.hpp"
#include "layers/max_pool_layer.hpp"
#include "layers/nets/feature_names.hpp"
#include "layers/picture_layers.hpp"
#include "layers/pixel_shuffle_layer.hpp"

namespace chiaro {

namespace {

constexpr float kBatchNormEps = 1e-4f;
constexpr const char* kNetwork = "ResNet-UpProj";

struct Stage {
  int number;
  int blocks;
  std::int64_t channels;  // of the bottleneck, in units of width; the block's output has four times as many
};
constexpr std::array<Stage, 4> kStages{{{2, 3, 1}, {3, 4, 2}, {4, 6, 4}, {5, 3, 8}}};

constexpr std::array<const char*, 4> kUpProjections{"2x", "4x", "8x", "16x"};

std::span<const char* const> up_projections(const ResnetUpprojConfig& config) {
  require(config.up_projections >= 1 && config.up_projections <= std::ssize(kUpProjections),
          "{}: {} up-projections, expected 1 to {}", kNetwork, config.up_projections, kUpProjections.size());
  return std::span(kUpProjections).first(static_cast<std::size_t>(config.up_projections));
}

// Channels of layer1.
std::int64_t decoder_width(const ResnetUpprojConfig& config) {
  const std::int64_t channels = config.decoder_width > 0 ? config.decoder_width : 16 * config.width;
  require(channels % (1 << config.up_projections) == 0,
          "{}: a decoder of {} channels cannot be halved {} times", kNetwork, channels,
          config.up_projections);
  return channels;
}

// The four convolutions whose outputs are interleaved: kernel extents, by letter.
struct Tap {
  char letter;
  std::int64_t r, s;
};
constexpr std::array<Tap, 4> kTaps{
    {{'A', 3, 3}, {'C', 3, 2}, {'B', 2, 3}, {'D', 2, 2}}};  // phase order (0,0) (0,1) (1,0) (1,1)

conv2d::Padding tap_padding(const Tap& tap, ResnetUpprojConfig::Side side) {
  const bool before = side == ResnetUpprojConfig::Side::Nyu;
  const auto sides = [&](std::int64_t extent) -> std::pair<std::int64_t, std::int64_t> {
    if (extent == 3) return {1, 1};
    return before ? std::pair<std::int64_t, std::int64_t>{1, 0} : std::pair<std::int64_t, std::int64_t>{0, 1};
  };
  const auto [top, bottom] = sides(tap.r);
  const auto [left, right] = sides(tap.s);
  return {top, bottom, left, right};
}

// One convolution of the inference form: where its weights come from in a file.
struct Source {
  std::string convolution;  // scope of .weight (and .bias)
  bool has_bias;
  std::string batch_norm;  // scope, or "" where there is none
};
struct FoldedConvolution {
  std::string name;             // in the store: {name}.weight, {name}.bias
  std::vector<Source> sources;  // stacked along the output channels
  std::int64_t k, r, s, c;      // of one source
};

// Calls visit for every convolution of the network in order.
void for_each_convolution(const ResnetUpprojConfig& config,
                          const std::function<void(const FoldedConvolution&)>& visit) {
  const std::int64_t w = config.width;
  const auto one = [&](const std::string& scope, bool bias, const std::string& bn, std::int64_t k,
                       std::int64_t extent, std::int64_t c) {
    visit({scope, {{scope, bias, bn}}, k, extent, extent, c});
  };
  one("conv1", true, "bn_conv1", w, 7, 3);
  std::int64_t c = w;
  for (const auto& stage : kStages) {
    if (stage.number == 5 && !config.has_stage5) continue;
    const std::int64_t inner = stage.channels * w, outer = 4 * inner;
    for (int block = 0; block < stage.blocks; ++block) {
      const std::string id = fmt::format("{}{}_branch", stage.number, static_cast<char>('a' + block));
      if (block == 0) one("res" + id + "1", false, "bn" + id + "1", outer, 1, c);
      one("res" + id + "2a", false, "bn" + id + "2a", inner, 1, c);
      one("res" + id + "2b", false, "bn" + id + "2b", inner, 3, inner);
      one("res" + id + "2c", false, "bn" + id + "2c", outer, 1, inner);
      c = outer;
    }
  }
  const std::int64_t decoder = decoder_width(config);
  one("layer1", true, "layer1_BN", decoder, 1, c);
  c = decoder;
  for (const char* up : up_projections(config)) {
    const std::string layer = std::string("layer") + up;
    const std::int64_t k = c / 2;
    for (const auto& tap : kTaps) {
      const auto branch = [&](const char* br) -> Source {
        return {fmt::format("{}_{}_Conv{}", layer, br, tap.letter), true, fmt::format("{}_{}_BN", layer, br)};
      };
      visit(
          {fmt::format("{}_Conv{}", layer, tap.letter), {branch("br1"), branch("br2")}, k, tap.r, tap.s, c});
    }
    one(layer + "_Conv", true, layer + "_BN", k, 3, k);
    c = k;
  }
  one("ConvPred", true, "", 1, 3, c);
}

// Appends the network to a graph until the deepest wanted feature is there.
class Builder {
 public:
  Builder(Graph& graph, ParamStore& store, const ResnetUpprojConfig& config,
          const std::vector<std::string>& wanted, const std::string& prefix)
      : graph_(graph), store_(store), config_(config), wanted_(wanted), prefix_(prefix) {
    const auto names = resnet_upproj_feature_names(config);
    deepest_ = names[deepest_feature(kNetwork, names, wanted)];
    for_each_convolution(config, [&](const FoldedConvolution& f) { convolutions_[f.name] = f; });
  }

  std::map<std::string, TensorId> build(TensorId picture, DType dtype) {
    x_ = graph_.add(prefix_ + "preprocess", std::make_unique<PreprocessLayer>(config_.preprocess, dtype),
                    {picture});
    const bool pool_masks = !is_wanted("conv1");  // then the pool is all that reads conv1
    x_ =
        conv("conv1", x_, {.stride = 2, .pad = {3, 3, 3, 3}, .relu = true, .gradient_is_masked = pool_masks});
    if (done("conv1")) return found_;
    x_ = graph_.add(prefix_ + "pool1",
                    std::make_unique<MaxPoolLayer>(max_pool::tf_same(graph_.shape(x_), 3, 2), pool_masks),
                    {x_});
    if (done("pool1")) return found_;
    for (const auto& stage : kStages) {
      if (stage.number == 5 && !config_.has_stage5) continue;
      for (int block = 0; block < stage.blocks; ++block) {
        bottleneck(stage.number, block);
        if (done(fmt::format("res{}{}", stage.number, static_cast<char>('a' + block)))) return found_;
      }
    }
    x_ = conv("layer1", x_, {});
    if (done("layer1")) return found_;
    for (const char* up : up_projections(config_)) {
      up_project(up);
      if (done(std::string("up_") + up)) return found_;
    }
    x_ = conv("ConvPred", x_, {.pad = {1, 1, 1, 1}, .relu = true});
    done("prediction");
    return found_;
  }

 private:
  TensorId conv(const std::string& name, TensorId x, Conv2dOptions options, TensorId add = -1) {
    const FoldedConvolution& f = convolutions_.at(name);
    const std::int64_t k = f.k * static_cast<std::int64_t>(f.sources.size());
    const Param weight = add_param(store_, name + ".weight", {k, f.r, f.s, f.c});
    const Param bias = add_param(store_, name + ".bias", {1, 1, 1, k});
    options.add = add >= 0;
    return graph_.add(prefix_ + name, std::make_unique<Conv2dLayer>(weight, bias, options),
                      add >= 0 ? std::vector{x, add} : std::vector{x});
  }

  void bottleneck(int stage, int block) {
    const std::string scope = fmt::format("res{}{}_branch", stage, static_cast<char>('a' + block));
    const std::int64_t stride = block == 0 && stage > 2 ? 2 : 1;
    const TensorId shortcut = block == 0 ? conv(scope + "1", x_, {.stride = stride}) : x_;
    TensorId y = conv(scope + "2a", x_, {.stride = stride, .relu = true});
    y = conv(scope + "2b", y, {.pad = {1, 1, 1, 1}, .relu = true});
    x_ = conv(scope + "2c", y, {.relu = true}, shortcut);
  }

  void up_project(const char* up) {
    const std::string layer = std::string("layer") + up;
    const std::int64_t k = graph_.shape(x_).c / 2;
    std::vector<TensorId> phases;
    for (const auto& tap : kTaps)
      phases.push_back(
          conv(fmt::format("{}_Conv{}", layer, tap.letter), x_, {.pad = tap_padding(tap, config_.padding)}));
    const PixelShuffleOptions first{.channels = k, .relu = true, .rest_is_taken = true};
    TensorId branch =
        graph_.add(prefix_ + layer + "_br1", std::make_unique<PixelShuffleLayer>(first), phases);
    branch = conv(layer + "_Conv", branch, {.pad = {1, 1, 1, 1}});
    phases.push_back(branch);
    const PixelShuffleOptions second{
        .channels = k, .first_channel = k, .add = true, .relu = true, .rest_is_taken = true};
    x_ = graph_.add(prefix_ + layer + "_sum", std::make_unique<PixelShuffleLayer>(second), phases);
  }

  // Notes the current tensor under a feature name; true when nothing deeper is wanted.
  bool done(const std::string& feature) {
    if (is_wanted(feature)) found_[feature] = x_;
    return feature == deepest_;
  }
  bool is_wanted(const std::string& feature) const {
    return std::find(wanted_.begin(), wanted_.end(), feature) != wanted_.end();
  }

  Graph& graph_;
  ParamStore& store_;
  const ResnetUpprojConfig& config_;
  const std::vector<std::string>& wanted_;
  std::string prefix_, deepest_;
  std::map<std::string, FoldedConvolution> convolutions_;
  std::map<std::string, TensorId> found_;
  TensorId x_ = -1;
};

class TensorTable {
 public:
  TensorTable(const std::vector<NamedTensor>& tensors, const std::string& file) : file_(file) {
    for (const auto& t : tensors) table_[t.name] = &t;
  }
  const float* get(const std::string& name, const std::vector<std::int64_t>& shape) const {
    const auto it = table_.find(name);
    if (it == table_.end()) throw Error("{}: tensor '{}' of {} is missing", file_, name, kNetwork);
    if (it->second->shape != shape)
      throw Error("{}: tensor '{}' has shape ({}), expected ({})", file_, name,
                  fmt::join(it->second->shape, ","), fmt::join(shape, ","));
    return it->second->values.data();
  }

 private:
  std::string file_;
  std::map<std::string, const NamedTensor*> table_;
};

}  // namespace

std::vector<std::string> resnet_upproj_feature_names(const ResnetUpprojConfig& config) {
  std::vector<std::string> names{"conv1", "pool1"};
  for (const auto& stage : kStages) {
    if (stage.number == 5 && !config.has_stage5) continue;
    for (int block = 0; block < stage.blocks; ++block)
      names.push_back(fmt::format("res{}{}", stage.number, static_cast<char>('a' + block)));
  }
  names.push_back("layer1");
  for (const char* up : up_projections(config)) names.push_back(std::string("up_") + up);
  names.push_back("prediction");
  return names;
}

std::vector<ParameterShape> resnet_upproj_parameters(const ResnetUpprojConfig& config) {
  std::vector<ParameterShape> list;
  std::map<std::string, bool> seen;  // the branches' batch norms belong to four convolutions
  for_each_convolution(config, [&](const FoldedConvolution& f) {
    for (const Source& source : f.sources) {
      list.push_back({source.convolution + ".weight", {f.k, f.r, f.s, f.c}});
      if (source.has_bias) list.push_back({source.convolution + ".bias", {f.k}});
      if (source.batch_norm.empty() || std::exchange(seen[source.batch_norm], true)) continue;
      for (const char* part : {".scale", ".offset", ".mean", ".variance"})
        list.push_back({source.batch_norm + part, {f.k}});
    }
  });
  return list;
}

std::map<std::string, TensorId> build_resnet_upproj(Graph& graph, ParamStore& store, TensorId picture,
                                                    const ResnetUpprojConfig& config, DType dtype,
                                                    const std::vector<std::string>& features,
                                                    const std::string& prefix) {
  return Builder(graph, store, config, features, prefix).build(picture, dtype);
}

void load_resnet_upproj(ParamStore& store, const ResnetUpprojConfig& config,
                        const std::vector<NamedTensor>& tensors, const std::string& file) {
  const TensorTable table(tensors, file);
  for_each_convolution(config, [&](const FoldedConvolution& f) {
    if (!store.find(f.name + ".weight")) return;  // deeper than the features that are in use
    float* weight = store.value(store.add(f.name + ".weight", {f.k * std::ssize(f.sources), f.r, f.s, f.c}));
    float* bias = store.value(store.add(f.name + ".bias", {1, 1, 1, f.k * std::ssize(f.sources)}));
    const std::int64_t per_channel = f.r * f.s * f.c;
    for (const Source& source : f.sources) {
      const float* w = table.get(source.convolution + ".weight", {f.k, f.r, f.s, f.c});
      const float* b = source.has_bias ? table.get(source.convolution + ".bias", {f.k}) : nullptr;
      if (source.batch_norm.empty()) {
        std::copy_n(w, f.k * per_channel, weight);
        std::copy_n(b, f.k, bias);
      } else {
        const auto bn = [&](const char* part) { return table.get(source.batch_norm + part, {f.k}); };
        batch_norm::fold(w, b, f.k, per_channel, bn(".scale"), bn(".offset"), bn(".mean"), bn(".variance"),
                         kBatchNormEps, weight, bias);
      }
      weight += f.k * per_channel;
      bias += f.k;
    }
  });
  store.values_changed();
}

}  // namespace chiaro
