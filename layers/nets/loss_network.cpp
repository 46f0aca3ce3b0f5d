#include "layers/nets/loss_network.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/param_io.hpp"
#include "engine/suggest.hpp"
#include "layers/nets/resnet_upproj.hpp"

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

// {"conv3_2":64, ...}
std::map<std::string, std::int64_t> parse_ranks(const nlohmann::json& architecture, int depth,
                                                const std::string& file) {
  std::map<std::string, std::int64_t> ranks;
  const nlohmann::json found = architecture.value("ranks", nlohmann::json::object());
  require(found.is_object(), "{}: ranks {} are no object", file, found.dump());
  const auto names = vgg_feature_names(depth);
  for (const auto& [name, rank] : found.items()) {
    const bool known = name.starts_with("conv") && std::ranges::find(names, name) != names.end();
    require(known, "{}: ranks of '{}', which is no convolution of VGG-{}", file, name, depth);
    ranks[name] = parse_integer(found, name.c_str(), 0, {1, 4096}, file);
  }
  return ranks;
}

VggConfig parse_vgg(const WeightsFile& weights, const std::string& file) {
  try {
    const auto json = nlohmann::json::parse(weights.architecture);
    if (json.contains("heads"))
      throw Error(
          "{}: a narrow network that imitates a VGG, which older versions of chiaro made; give the VGG "
          "itself, or "
          "\"compact\"",
          file);
    VggConfig config;
    config.depth = weights.kind == "vgg16" ? 16 : 19;
    config.width = parse_width(json, file);
    config.preprocess = parse_preprocess(weights.preprocess, file);
    config.ranks = parse_ranks(json, config.depth, file);
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
      : config_(parse_vgg(weights, file)) {
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

VggConfig vgg_config(const WeightsFile& weights, const std::string& file) {
  return parse_vgg(weights, file);
}

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
