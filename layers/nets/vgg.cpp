#include "layers/nets/vgg.hpp"

#include <algorithm>

#include "layers/conv2d_layer.hpp"
#include "layers/max_pool_layer.hpp"
#include "layers/nets/feature_names.hpp"
#include "layers/picture_layers.hpp"
#include "layers/relu_layer.hpp"

namespace chiaro {

namespace {

int convolutions_in_block(int depth, int block) {
  return block < 2 ? 2 : depth == 19 ? 4 : 3;
}

std::string network_name(int depth) {
  return "VGG-" + std::to_string(depth);
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::vector<std::string> vgg_feature_names(int depth) {
  require(depth == 16 || depth == 19, "VGG: depth {}, expected 16 or 19", depth);
  std::vector<std::string> names;
  for (int b = 0; b < kVggBlocks; ++b) {
    for (int i = 0; i < convolutions_in_block(depth, b); ++i)
      for (const char* kind : {"conv", "relu"}) names.push_back(fmt::format("{}{}_{}", kind, b + 1, i + 1));
    names.push_back(fmt::format("pool{}", b + 1));
  }
  return names;
}

std::string vgg_convolution(int depth, const std::string& feature) {
  deepest_feature(network_name(depth), vgg_feature_names(depth), {feature});
  const std::string name = "conv" + feature.substr(4);
  if (!feature.starts_with("pool")) return name;
  return name + "_" + std::to_string(convolutions_in_block(depth, feature[4] - '1'));
}

std::int64_t vgg_channels(const VggConfig& config, const std::string& feature) {
  const std::int64_t block = vgg_convolution(config.depth, feature)[4] - '1';
  return config.width << std::min<std::int64_t>(block, 3);
}

std::map<std::string, TensorId> build_vgg(Graph& graph, ParamStore& store, TensorId picture,
                                          const VggConfig& config, DType dtype,
                                          const std::vector<std::string>& features,
                                          const std::string& prefix) {
  const auto names = vgg_feature_names(config.depth);
  const std::size_t deepest = deepest_feature(network_name(config.depth), names, features);
  const auto wanted = [&](const std::string& name) { return contains(features, name); };

  std::map<std::string, TensorId> found;
  TensorId x = graph.add(prefix + "preprocess", std::make_unique<PreprocessLayer>(config.preprocess, dtype),
                         {picture});
  bool pool_masks = false;
  for (std::size_t i = 0; i <= deepest; ++i) {
    const std::string& name = names[i];
    const bool is_conv = name.starts_with("conv"), is_pool = name.starts_with("pool");
    if (is_conv) {
      const std::int64_t k = vgg_channels(config, name);
      const auto rank = config.ranks.find(name);
      const bool factors = rank != config.ranks.end();
      if (factors) {
        const Param reduce =
            add_param(store, name + ".reduce.weight", {rank->second, 3, 3, graph.shape(x).c});
        x = graph.add(prefix + name + ".reduce",
                      std::make_unique<Conv2dLayer>(reduce, Param{}, Conv2dOptions{.pad = {1, 1, 1, 1}}),
                      {x});
      }
      const std::int64_t extent = factors ? 1 : 3, pad = extent / 2;
      const Param weight = add_param(store, name + ".weight", {k, extent, extent, graph.shape(x).c});
      const Param bias = add_param(store, name + ".bias", {1, 1, 1, k});
      // The ReLU is fused into the convolution unless somebody wants the features before it.
      const bool fused = !wanted(name);
      const std::string relu_name = "relu" + name.substr(4);
      // A pool that alone reads the convolution's output applies the mask of its ReLU on the way back.
      pool_masks = fused && !wanted(relu_name) && i + 2 <= deepest && names[i + 2].starts_with("pool");
      x = graph.add(
          prefix + (fused ? relu_name : name),
          std::make_unique<Conv2dLayer>(
              weight, bias,
              Conv2dOptions{.pad = {pad, pad, pad, pad}, .relu = fused, .gradient_is_masked = pool_masks}),
          {x});
    } else if (is_pool) {
      const Shape s = graph.shape(x);
      require(s.h >= 2 && s.w >= 2, "{}: the picture is too small for layer {}", network_name(config.depth),
              name);
      x = graph.add(prefix + name, std::make_unique<MaxPoolLayer>(max_pool::Attributes{}, pool_masks), {x});
    } else if (wanted("conv" + name.substr(4))) {
      x = graph.add(prefix + name, std::make_unique<ReluLayer>(), {x});
    }
    if (wanted(name)) found[name] = x;
  }
  return found;
}

}  // namespace chiaro
