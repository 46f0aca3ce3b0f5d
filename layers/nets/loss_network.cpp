#include "layers/nets/loss_network.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/param_io.hpp"
#include "engine/suggest.hpp"
#include "layers/nets/compact_vgg.hpp"
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

std::vector<std::string> parse_heads(const nlohmann::json& architecture, int depth, const std::string& file) {
  const auto heads = architecture.value("heads", std::vector<std::string>{});
  std::vector<std::string> in_order;
  for (const auto& name : vgg_feature_names(depth))
    if (std::find(heads.begin(), heads.end(), name) != heads.end()) in_order.push_back(name);
  require(in_order.size() == heads.size(), "{}: heads [{}] are not features of VGG-{}, each once", file,
          listed(heads), depth);
  return in_order;
}

struct VggFile {
  VggConfig config;
  double gram_loss_scale = 1;
};

VggFile parse_vgg(const WeightsFile& weights, const std::string& file) {
  try {
    const auto json = nlohmann::json::parse(weights.architecture);
    VggFile found;
    VggConfig& config = found.config;
    config.depth = weights.kind == "vgg16" ? 16 : 19;
    config.width = parse_width(json, file);
    config.preprocess = parse_preprocess(weights.preprocess, file);
    config.heads = parse_heads(json, config.depth, file);
    if (!config.heads.empty())
      found.gram_loss_scale =
          compact_gram_loss_scale(config.width, parse_integer(json, "imitates_width", 64, {1, 1024}, file));
    return found;
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
      : vgg_(parse_vgg(weights, file)) {
    Context context = Context::current();
    Graph graph(context);
    build(graph, graph.add_input("picture", {kDeclarePicture, DType::F32}), DType::F32, features, "");
    store_.allocate();
    load_parameters(store_, weights.parameters, file);
  }

  std::map<std::string, TensorId> build(Graph& graph, TensorId picture, DType dtype,
                                        const std::vector<std::string>& features,
                                        const std::string& prefix) override {
    return build_vgg(graph, store_, picture, vgg_.config, dtype, features, prefix);
  }

  double gram_loss_scale() const override { return vgg_.gram_loss_scale; }

 private:
  VggFile vgg_;
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
  return parse_vgg(weights, file).config;
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
  const VggConfig config = vgg_config(weights, file);
  return config.heads.empty() ? vgg_feature_names(config.depth) : config.heads;
}

}  // namespace chiaro
