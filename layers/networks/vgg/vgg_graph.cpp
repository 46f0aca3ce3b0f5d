#include "layers/networks/vgg/vgg_graph.hpp"

#include <algorithm>

#include "layers/conv2d_layer.hpp"
#include "layers/max_pool_layer.hpp"
#include "layers/picture_layers.hpp"
#include "layers/relu_layer.hpp"

namespace chiaro {

std::map<std::string, TensorId> build_vgg(Graph& graph, ParamStore& store, TensorId picture,
                                          const Vgg& network, DType dtype,
                                          const std::vector<std::string>& features,
                                          const std::string& prefix) {
  const std::string deepest = deepest_vgg_feature(network, features);
  const auto wanted = [&](const std::string& name) {
    return std::ranges::find(features, name) != features.end();
  };

  std::map<std::string, TensorId> found;
  TensorId x = graph.add(prefix + "preprocess", std::make_unique<PreprocessLayer>(network.preprocess, dtype),
                         {picture});
  const auto note = [&](const std::string& name) {
    if (wanted(name)) found[name] = x;
  };
  for (const VggConvolution& conv : convolutions_for(network, features)) {
    const bool is_last = deepest == conv.name() || deepest == conv.relu();
    const bool pools = conv.ends_block && !is_last;
    // The ReLU is fused into the convolution unless somebody wants the features before it. A pool that alone reads the
    // convolution's output applies the mask of its ReLU on the way back.
    const bool fused = !wanted(conv.name()), pool_masks = fused && pools && !wanted(conv.relu());
    Param weight, bias;
    for (const ParameterShape& parameter : conv.parameters()) {
      const Param param = declare(store, parameter);
      if (parameter.name.ends_with(".reduce.weight"))
        x = graph.add(prefix + conv.name() + ".reduce",
                      std::make_unique<Conv2dLayer>(param, Param{}, Conv2dOptions{.pad = {1, 1, 1, 1}}), {x});
      else
        (parameter.name.ends_with(".bias") ? bias : weight) = param;
    }
    const std::int64_t pad = conv.rank > 0 ? 0 : 1;
    x = graph.add(
        prefix + (fused ? conv.relu() : conv.name()),
        std::make_unique<Conv2dLayer>(
            weight, bias,
            Conv2dOptions{.pad = {pad, pad, pad, pad}, .relu = fused, .gradient_is_masked = pool_masks}),
        {x});
    note(conv.name());
    if (deepest == conv.name()) break;
    if (!fused) x = graph.add(prefix + conv.relu(), std::make_unique<ReluLayer>(), {x});
    note(conv.relu());
    if (!pools) continue;
    const Shape s = graph.shape(x);
    require(s.h >= 2 && s.w >= 2, "{}: the picture is too small for layer {}", vgg_name(network),
            conv.pool());
    x = graph.add(prefix + conv.pool(), std::make_unique<MaxPoolLayer>(max_pool::Attributes{}, pool_masks),
                  {x});
    note(conv.pool());
  }
  return found;
}

}  // namespace chiaro
