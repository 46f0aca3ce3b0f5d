#include "layers/nets/transform_net.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/io/weights_file.hpp"
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

// Declares parameters and appends layers, keeping track of the tensor so far.
class TransformNetBuilder {
 public:
  TransformNetBuilder(Graph& graph, ParamStore& store, const TransformNetConfig& config, DType dtype,
                      TensorId shares)
      : graph_(graph), store_(store), config_(config), dtype_(dtype), shares_(shares) {}

  TensorId build(TensorId picture) {
    const Shape shape = graph_.shape(picture);
    require(shape.c == 3 && shape.h >= kTransformNetMinimumSize && shape.w >= kTransformNetMinimumSize,
            "transform network: picture {}, expected 3 channels and at least {}x{} pixels", to_string(shape),
            kTransformNetMinimumSize, kTransformNetMinimumSize);
    require(config_.rows() == 1 || shares_ >= 0, "transform network: {} styles, but no shares of them",
            config_.rows());
    const std::int64_t w = config_.width;
    const bool reflect = config_.padding == Padding::Reflect;
    const bool nearest = config_.upsample == Upsample::Nearest;
    const Pad next_conv3 = reflect ? Pad::uniform(1) : Pad{};
    const Pad next_up = reflect && nearest ? Pad::uniform(1, PadMode::Replicate) : Pad{};
    const Pad next_conv9 = reflect ? Pad::uniform(4) : Pad{};

    TensorId x = picture;
    const std::int64_t extra_h = (4 - shape.h % 4) % 4, extra_w = (4 - shape.w % 4) % 4;
    if (extra_h || extra_w)
      x = graph_.add("whole", std::make_unique<BorderLayer>(Pad{0, extra_h, 0, extra_w}, DType::F32), {x});
    x = graph_.add("picture", std::make_unique<BorderLayer>(next_conv9, dtype_), {x});

    x = conv("conv1", x, w, 9, 1);
    x = norm("norm1", x, next_conv3);
    x = conv("conv2", x, 2 * w, 3, 2);
    x = norm("norm2", x, next_conv3);
    x = conv("conv3", x, 4 * w, 3, 2);
    x = norm("norm3", x, config_.residual_blocks > 0 ? next_conv3 : next_up);
    for (std::int64_t i = 1; i <= config_.residual_blocks; ++i) {
      const std::string name = "res" + std::to_string(i);
      const TensorId skip = x;
      x = conv(name + ".conv1", x, 4 * w, 3, 1);
      x = norm(name + ".norm1", x, next_conv3);
      x = conv(name + ".conv2", x, 4 * w, 3, 1);
      x = norm_add(name + ".norm2", x, skip, next_conv3, i < config_.residual_blocks ? next_conv3 : next_up);
    }
    x = norm("norm4", up("up1", x, 2 * w), next_up);
    x = norm("norm5", up("up2", x, w), next_conv9);
    x = conv("out", x, 3, 9, 1, /*is_output=*/true);
    if (config_.output == OutputRange::Tanh150)
      x = graph_.add("range", std::make_unique<TanhOutputLayer>(), {x});
    if (config_.output == OutputRange::Scaled150)
      x = graph_.add("range", std::make_unique<PreprocessLayer>(kScale150, DType::F32), {x});
    if (extra_h || extra_w) x = graph_.add("crop", std::make_unique<CropLayer>(shape.h, shape.w), {x});
    return x;
  }

 private:
  TensorId conv(const std::string& name, TensorId x, std::int64_t k, std::int64_t extent, std::int64_t stride,
                bool is_output = false) {
    const Param weight = add_param(store_, name + ".weight", {k, extent, extent, graph_.shape(x).c});
    const Param bias = is_output ? add_param(store_, name + ".bias", {1, 1, 1, k}) : Param{};
    const std::int64_t pad = config_.padding == Padding::Zero ? extent / 2 : 0;
    Conv2dOptions options{.stride = stride, .pad = {pad, pad, pad, pad}};
    if (is_output) options.output_dtype = DType::F32;
    return graph_.add(name, std::make_unique<Conv2dLayer>(weight, bias, options), {x});
  }

  TensorId up(const std::string& name, TensorId x, std::int64_t k) {
    const std::int64_t c = graph_.shape(x).c;
    if (config_.upsample == Upsample::Transposed) {
      const Param weight = add_param(store_, name + ".weight", {c, 3, 3, k});
      return graph_.add(name, std::make_unique<ConvTranspose2dLayer>(weight), {x});
    }
    const Param weight = add_param(store_, name + ".weight", {k, 3, 3, c});
    const bool zero_pad = config_.padding == Padding::Zero;
    return graph_.add(name, std::make_unique<UpsampleConvLayer>(weight, zero_pad), {x});
  }

  TensorId norm(const std::string& name, TensorId x, Pad out_pad) {
    return add_norm(name, {x},
                    {.eps = static_cast<float>(config_.norm_eps), .relu = true, .out_pad = out_pad});
  }

  TensorId norm_add(const std::string& name, TensorId x, TensorId skip, Pad skip_border, Pad out_pad) {
    return add_norm(
        name, {x, skip},
        {.eps = static_cast<float>(config_.norm_eps), .out_pad = out_pad, .residual_pad = skip_border});
  }

  TensorId add_norm(const std::string& name, std::vector<TensorId> inputs,
                    instance_norm::Attributes attributes) {
    const Shape per_channel{config_.rows(), 1, 1, graph_.shape(inputs[0]).c};
    attributes.per_picture = config_.rows() > 1;
    if (attributes.per_picture) inputs.push_back(shares_);
    const Param gamma = add_param(store_, name + ".gamma", per_channel);
    const Param beta = add_param(store_, name + ".beta", per_channel);
    return graph_.add(name, std::make_unique<InstanceNormLayer>(gamma, beta, attributes), std::move(inputs));
  }

  Graph& graph_;
  ParamStore& store_;
  const TransformNetConfig& config_;
  DType dtype_;
  TensorId shares_;
};

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::uint32_t stream_of_parameter(const std::string& name) {  // FNV-1a
  std::uint32_t hash = 2166136261u;
  for (const unsigned char c : name) hash = (hash ^ c) * 16777619u;
  return hash;
}

// The options as they are spelled in weights files.
constexpr std::array<const char*, 2> kUpsampleNames{"nearest", "transposed"};
constexpr std::array<const char*, 2> kPaddingNames{"reflect", "zero"};
constexpr std::array<const char*, 3> kOutputNames{"linear", "tanh150", "scaled150"};

constexpr std::array<const char*, 7> kKeys{"width",    "residual_blocks", "upsample", "padding",
                                           "norm_eps", "output",          "styles"};

// get<> alone would cut 1.5 off and take true for 1.
std::int64_t parse_integer(const nlohmann::json& json, const char* key) {
  const auto& value = json.at(key);
  require(value.is_number_integer(), "'{}' is {}, expected an integer", key, value.dump());
  return value.get<std::int64_t>();
}

template <class Enum, std::size_t N>
Enum parse_option(const nlohmann::json& json, const char* key, const std::array<const char*, N>& names) {
  const auto value = json.at(key).get<std::string>();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (value == names[i]) return static_cast<Enum>(i);
  throw Error("'{}' is \"{}\", expected \"{}\"", key, value, fmt::join(names, "\" or \""));
}

std::vector<std::string> parse_styles(const nlohmann::json& json) {
  if (!json.contains("styles")) return {};
  const auto names = json.at("styles").get<std::vector<std::string>>();
  require(names.size() <= 1024, "{} styles are more than 1024", names.size());
  std::set<std::string> seen;
  for (const auto& name : names) {
    require(is_style_name(name), "\"{}\" is no name for a style", name);
    require(seen.insert(name).second, "two styles are called \"{}\"", name);
  }
  return names;
}

}  // namespace

TensorId build_transform_net(Graph& graph, ParamStore& store, TensorId picture,
                             const TransformNetConfig& config, DType dtype, TensorId shares) {
  require(config.width > 0 && config.residual_blocks >= 0, "transform network: width {}, {} residual blocks",
          config.width, config.residual_blocks);
  return TransformNetBuilder(graph, store, config, dtype, shares).build(picture);
}

void declare_transform_net(ParamStore& store, const TransformNetConfig& config) {
  Context context = Context::current();
  Graph graph(context);
  constexpr Shape smallest{1, kTransformNetMinimumSize, kTransformNetMinimumSize, 3};
  const TensorId picture = graph.add_input("picture", {smallest, DType::F32});
  const TensorId shares =
      config.rows() > 1 ? graph.add_input("shares", {{1, 1, 1, config.rows()}, DType::F32}) : -1;
  build_transform_net(graph, store, picture, config, DType::F32, shares);
}

void initialize_transform_net(ParamStore& store, const TransformNetConfig& config, std::uint64_t seed) {
  for (int i = 0; i < static_cast<int>(store.entries().size()); ++i) {
    const auto& entry = store.entries()[i];
    float* value = store.value(i);
    const std::int64_t count = entry.shape.count();
    if (ends_with(entry.name, ".gamma")) {
      std::fill_n(value, count, 1.f);
    } else if (ends_with(entry.name, ".beta")) {
      std::fill_n(value, count, 0.f);
    } else if (ends_with(entry.name, ".bias")) {
      std::fill_n(value, count, config.output == OutputRange::Linear ? 127.5f : 0.f);
    } else {
      const Rng rng(seed, stream_of_parameter(entry.name));
      const double bound = 1 / std::sqrt(static_cast<double>(entry.shape.count() / entry.shape.n));
      for (std::int64_t j = 0; j < count; ++j)
        value[j] = static_cast<float>(bound * (2.0 * rng.uniform(static_cast<std::uint64_t>(j)) - 1.0));
    }
  }
  store.values_changed();
}

std::string transform_net_to_json(const TransformNetConfig& config) {
  nlohmann::ordered_json json{{"width", config.width},
                              {"residual_blocks", config.residual_blocks},
                              {"upsample", kUpsampleNames[static_cast<std::size_t>(config.upsample)]},
                              {"padding", kPaddingNames[static_cast<std::size_t>(config.padding)]},
                              {"norm_eps", config.norm_eps},
                              {"output", kOutputNames[static_cast<std::size_t>(config.output)]}};
  if (!config.styles.empty()) json["styles"] = config.styles;
  return json.dump();
}

TransformNetConfig transform_net_from_json(const std::string& text, const std::string& file) {
  try {
    const auto json = nlohmann::json::parse(text);
    require(json.is_object(), "it is no object");
    for (const auto& [key, value] : json.items())
      require(std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end(), "unknown key '{}'", key);
    TransformNetConfig config;
    config.width = parse_integer(json, "width");
    config.residual_blocks = parse_integer(json, "residual_blocks");
    config.upsample = parse_option<Upsample>(json, "upsample", kUpsampleNames);
    config.padding = parse_option<Padding>(json, "padding", kPaddingNames);
    config.norm_eps = json.at("norm_eps").get<double>();
    config.output = parse_option<OutputRange>(json, "output", kOutputNames);
    config.styles = parse_styles(json);
    // Bounds that no real network exceeds keep a hostile file from asking for absurd amounts of memory.
    require(config.width >= 1 && config.width <= 1024, "width {} is not between 1 and 1024", config.width);
    require(config.residual_blocks >= 0 && config.residual_blocks <= 100,
            "{} residual blocks are not between 0 and 100", config.residual_blocks);
    require(config.norm_eps > 0 && config.norm_eps < 1, "norm_eps {} is not between 0 and 1",
            config.norm_eps);
    return config;
  } catch (const std::exception& e) {
    throw Error("{}: the architecture of the transform network is not usable: {}", file, e.what());
  }
}

}  // namespace chiaro
