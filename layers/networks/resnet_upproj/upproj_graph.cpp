#include "layers/networks/resnet_upproj/upproj_graph.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "kernels/norm/batch_norm.hpp"
#include "layers/conv2d_layer.hpp"
#include "layers/max_pool_layer.hpp"
#include "layers/networks/feature_names.hpp"
#include "layers/picture_layers.hpp"
#include "layers/pixel_shuffle_layer.hpp"

namespace chiaro {

namespace {

constexpr const char* kUpprojName = "ResNet-UpProj";

// A convolution of the inference form, and those of the file that are stacked in it along the output channels.
struct FoldedConvolution {
  std::string name;  // in the store: {name}.weight, {name}.bias
  std::vector<UpprojConvolution> sources;

  std::int64_t k() const { return sources[0].k * std::ssize(sources); }
  ParameterShape weight() const {
    return {name + ".weight", {k(), sources[0].r, sources[0].s, sources[0].c}};
  }
  ParameterShape bias() const { return {name + ".bias", {k()}}; }
};

FoldedConvolution folded(const UpprojConvolution& conv) {
  return {conv.scope, {conv}};
}
FoldedConvolution folded_tap(const UpProjection& up, std::size_t i) {
  return {fmt::format("{}_Conv{}", up.scope, up.letters[i]), {up.main[i], up.shortcut[i]}};
}

// All up to the deepest feature, in order.
std::vector<FoldedConvolution> folded_up_to(const ResnetUpproj& network,
                                            const std::vector<std::string>& features) {
  const auto names = feature_names(network);
  const std::string deepest = names[deepest_feature(kUpprojName, names, features)];
  const UpprojStages all = stages(network);
  std::vector<FoldedConvolution> list{folded(all.conv1)};
  if (deepest == "conv1" || deepest == "pool1") return list;
  for (const UpprojBottleneck& b : all.bottlenecks) {
    if (b.shortcut) list.push_back(folded(*b.shortcut));
    for (const UpprojConvolution* conv : {&b.a, &b.b, &b.c}) list.push_back(folded(*conv));
    if (deepest == b.feature) return list;
  }
  list.push_back(folded(all.layer1));
  if (deepest == "layer1") return list;
  for (const UpProjection& up : all.up_projections) {
    for (std::size_t i = 0; i < up.main.size(); ++i) list.push_back(folded_tap(up, i));
    list.push_back(folded(up.conv));
    if (deepest == up.feature) return list;
  }
  list.push_back(folded(all.prediction));
  return list;
}

// Appends the network to a graph until the deepest wanted feature is there.
class UpprojBuilder {
 public:
  UpprojBuilder(Graph& graph, ParamStore& store, const ResnetUpproj& network,
                const std::vector<std::string>& wanted, const std::string& prefix)
      : graph_(graph), store_(store), network_(network), wanted_(wanted), prefix_(prefix) {
    const auto names = feature_names(network);
    deepest_ = names[deepest_feature(kUpprojName, names, wanted)];
  }

  std::map<std::string, TensorId> build(TensorId picture, DType dtype) {
    const UpprojStages all = stages(network_);
    x_ = graph_.add(prefix_ + "preprocess", std::make_unique<PreprocessLayer>(network_.preprocess, dtype),
                    {picture});
    const bool pool_masks = !is_wanted("conv1");  // then the pool is all that reads conv1
    x_ = conv(folded(all.conv1), x_, {.relu = true, .gradient_is_masked = pool_masks});
    if (done("conv1")) return found_;
    x_ = graph_.add(prefix_ + "pool1",
                    std::make_unique<MaxPoolLayer>(max_pool::tf_same(graph_.shape(x_), 3, 2), pool_masks),
                    {x_});
    if (done("pool1")) return found_;
    for (const UpprojBottleneck& b : all.bottlenecks) {
      const TensorId shortcut = b.shortcut ? conv(folded(*b.shortcut), x_, {}) : x_;
      TensorId y = conv(folded(b.a), x_, {.relu = true});
      y = conv(folded(b.b), y, {.relu = true});
      x_ = conv(folded(b.c), y, {.relu = true}, shortcut);
      if (done(b.feature)) return found_;
    }
    x_ = conv(folded(all.layer1), x_, {});
    if (done("layer1")) return found_;
    for (const UpProjection& up : all.up_projections) {
      up_project(up);
      if (done(up.feature)) return found_;
    }
    x_ = conv(folded(all.prediction), x_, {.relu = true});
    done("prediction");
    return found_;
  }

 private:
  TensorId conv(const FoldedConvolution& f, TensorId x, Conv2dOptions options, TensorId add = -1) {
    const Param weight = declare(store_, f.weight()), bias = declare(store_, f.bias());
    options.stride = f.sources[0].stride;
    options.pad = f.sources[0].pad;
    options.add = add >= 0;
    return graph_.add(prefix_ + f.name, std::make_unique<Conv2dLayer>(weight, bias, options),
                      add >= 0 ? std::vector{x, add} : std::vector{x});
  }

  void up_project(const UpProjection& up) {
    const std::int64_t k = up.conv.k;
    std::vector<TensorId> phases;
    for (std::size_t i = 0; i < up.main.size(); ++i) phases.push_back(conv(folded_tap(up, i), x_, {}));
    const PixelShuffleOptions first{.channels = k, .relu = true, .rest_is_taken = true};
    TensorId branch =
        graph_.add(prefix_ + up.scope + "_br1", std::make_unique<PixelShuffleLayer>(first), phases);
    branch = conv(folded(up.conv), branch, {});
    phases.push_back(branch);
    const PixelShuffleOptions second{
        .channels = k, .first_channel = k, .add = true, .relu = true, .rest_is_taken = true};
    x_ = graph_.add(prefix_ + up.scope + "_sum", std::make_unique<PixelShuffleLayer>(second), phases);
  }

  // Notes the current tensor under a feature name; true when nothing deeper is wanted.
  bool done(const std::string& feature) {
    if (is_wanted(feature)) found_[feature] = x_;
    return feature == deepest_;
  }
  bool is_wanted(const std::string& feature) const {
    return std::ranges::find(wanted_, feature) != wanted_.end();
  }

  Graph& graph_;
  ParamStore& store_;
  const ResnetUpproj& network_;
  const std::vector<std::string>& wanted_;
  std::string prefix_, deepest_;
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
    if (it == table_.end()) throw Error("{}: tensor '{}' of {} is missing", file_, name, kUpprojName);
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

std::map<std::string, TensorId> build_resnet_upproj(Graph& graph, ParamStore& store, TensorId picture,
                                                    const ResnetUpproj& network, DType dtype,
                                                    const std::vector<std::string>& features,
                                                    const std::string& prefix) {
  return UpprojBuilder(graph, store, network, features, prefix).build(picture, dtype);
}

void declare_resnet_upproj(ParamStore& store, const ResnetUpproj& network,
                           const std::vector<std::string>& features) {
  for (const FoldedConvolution& f : folded_up_to(network, features))
    declare(store, f.weight()), declare(store, f.bias());
}

void load_resnet_upproj(ParamStore& store, const ResnetUpproj& network,
                        const std::vector<NamedTensor>& tensors, const std::string& file) {
  const TensorTable table(tensors, file);
  for (const FoldedConvolution& f : folded_up_to(network, {"prediction"})) {
    if (!store.find(f.weight().name)) continue;  // deeper than the features that are in use
    float* weight = store.value(declare(store, f.weight()).index);
    float* bias = store.value(declare(store, f.bias()).index);
    for (const UpprojConvolution& source : f.sources) {
      const std::int64_t per_channel = source.r * source.s * source.c;
      const float* w = table.get(source.scope + ".weight", {source.k, source.r, source.s, source.c});
      const float* b = source.has_bias ? table.get(source.scope + ".bias", {source.k}) : nullptr;
      if (source.norm.empty()) {
        std::copy_n(w, source.k * per_channel, weight);
        std::copy_n(b, source.k, bias);
      } else {
        const auto norm = [&](const char* part) { return table.get(source.norm + part, {source.k}); };
        batch_norm::fold(w, b, source.k, per_channel, norm(".scale"), norm(".offset"), norm(".mean"),
                         norm(".variance"), kUpprojNormEps, weight, bias);
      }
      weight += source.k * per_channel;
      bias += source.k;
    }
  }
  store.values_changed();
}

}  // namespace chiaro
