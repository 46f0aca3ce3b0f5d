#include "layers/nets/loss_network.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/param_io.hpp"
#include "layers/nets/resnet_upproj.hpp"
#include "layers/nets/vgg.hpp"

namespace chiaro {

namespace {

// Large enough for every layer of every network.
constexpr Shape kDeclarePicture{1, 64, 64, 3};

std::int64_t parse_integer(const nlohmann::json& architecture, const char* key, std::int64_t standard,
                           std::pair<std::int64_t, std::int64_t> range, const std::string& file) {
  const nlohmann::json value = architecture.value(key, nlohmann::json(standard));
  const bool usable = value.is_number_integer() && value >= range.first && value <= range.second;
  require(usable, "{}: {} {} is not an integer between {} and {}", file, key, value.dump(), range.first,
          range.second);
  return value.get<std::int64_t>();
}

std::int64_t parse_width(const nlohmann::json& architecture, const std::string& file) {
  return parse_integer(architecture, "width", 64, {1, 1024}, file);
}

VggConfig vgg_config(const WeightsFile& weights, const std::string& file) {
  try {
    const auto json = nlohmann::json::parse(weights.architecture);
    VggConfig config;
    config.depth = weights.kind == "vgg16" ? 16 : 19;
    config.width = parse_width(json, file);
    config.preprocess = parse_preprocess(weights.preprocess, file);
    return config;
  } catch (const nlohmann::json::exception& e) {
    throw Error("{}: the architecture of the {} network is not usable: {}", file, weights.kind, e.what());
  }
}

ResnetUpprojConfig resnet_config(const WeightsFile& weights, const std::string& file) {
  try {
    const auto json = nlohmann::json::parse(weights.architecture);
    ResnetUpprojConfig config;
    config.width = parse_width(json, file);
    const auto encoder = json.value("encoder", std::string("resnet50"));
    if (encoder != "resnet50" && encoder != "resnet50-c4")
      throw Error("{}: encoder \"{}\", expected \"resnet50\" or \"resnet50-c4\"", file, encoder);
    config.has_stage5 = encoder == "resnet50";
    const auto padding = json.value("padding", std::string("nyu"));
    if (padding != "nyu" && padding != "make3d")
      throw Error("{}: padding \"{}\", expected \"nyu\" or \"make3d\"", file, padding);
    config.padding = padding == "nyu" ? ResnetUpprojConfig::Side::Nyu : ResnetUpprojConfig::Side::Make3d;
    config.decoder_width = parse_integer(json, "decoder_width", 0, {0, 4096}, file);
    config.up_projections = static_cast<int>(parse_integer(json, "up_projections", 4, {1, 4}, file));
    config.preprocess = parse_preprocess(weights.preprocess, file);
    return config;
  } catch (const nlohmann::json::exception& e) {
    throw Error("{}: the architecture of the depth network is not usable: {}", file, e.what());
  }
}

class VggLossNetwork : public LossNetwork {
 public:
  VggLossNetwork(const WeightsFile& weights, const std::string& file,
                 const std::vector<std::string>& features)
      : config_(vgg_config(weights, file)) {
    Context context = Context::current();
    Graph graph(context);
    build(graph, graph.add_input("picture", {kDeclarePicture, DType::F32}), DType::F32, features, "");
    store_.allocate();
    load_parameters(store_, weights.parameters, file);
  }

  std::map<std::string, TensorId> build(Graph& graph, TensorId picture, DType dtype,
                                        const std::vector<std::string>& features,
                                        const std::string& prefix) override {
    return build_vgg(graph, store_, picture, config_, dtype, features, prefix);
  }

 private:
  VggConfig config_;
};

class DepthLossNetwork : public LossNetwork {
 public:
  DepthLossNetwork(const WeightsFile& weights, const std::string& file,
                   const std::vector<std::string>& features)
      : config_(resnet_config(weights, file)) {
    Context context = Context::current();
    Graph graph(context);
    build(graph, graph.add_input("picture", {kDeclarePicture, DType::F32}), DType::F32, features, "");
    store_.allocate();
    load_resnet_upproj(store_, config_, weights.parameters, file);
  }

  std::map<std::string, TensorId> build(Graph& graph, TensorId picture, DType dtype,
                                        const std::vector<std::string>& features,
                                        const std::string& prefix) override {
    return build_resnet_upproj(graph, store_, picture, config_, dtype, features, prefix);
  }

 private:
  ResnetUpprojConfig config_;
};

}  // namespace

std::unique_ptr<LossNetwork> LossNetwork::load(const WeightsFile& weights, const std::string& file,
                                               const std::vector<std::string>& features) {
  if (weights.kind == "vgg16" || weights.kind == "vgg19")
    return std::make_unique<VggLossNetwork>(weights, file, features);
  if (weights.kind == "resnet_upproj") return std::make_unique<DepthLossNetwork>(weights, file, features);
  throw Error("{}: holds a {}, expected a loss network (vgg19, vgg16 or resnet_upproj)", file, weights.kind);
}

std::vector<std::string> LossNetwork::feature_names(const WeightsFile& weights, const std::string& file) {
  if (weights.kind == "resnet_upproj") return resnet_upproj_feature_names(resnet_config(weights, file));
  return vgg_feature_names(vgg_config(weights, file).depth);
}

}  // namespace chiaro
