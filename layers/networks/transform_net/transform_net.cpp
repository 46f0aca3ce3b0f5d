#include "layers/networks/transform_net/transform_net.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/io/weights_file.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

constexpr std::array kTransformNetKeys{"width",    "residual_blocks", "upsample", "padding",
                                       "norm_eps", "output",          "styles"};

ParameterShape weight_of(const TransformStage& s, const TransformNet& network) {
  const bool transposed = s.up && network.upsample == Upsample::Transposed;
  return {s.conv + ".weight",
          {transposed ? s.in_channels : s.out_channels, s.extent, s.extent,
           transposed ? s.out_channels : s.in_channels}};
}

std::vector<std::string> parse_styles(const nlohmann::json& json) {
  if (!json.contains("styles")) return {};
  const auto names = json.at("styles").get<std::vector<std::string>>();
  require(names.size() <= 1024, "{} styles are more than 1024", names.size());
  std::set<std::string> seen;
  for (const auto& name : names) {
    require(is_style_name(name), "\"{}\" is no name for a style, expected {}", name, kNameRule);
    require(seen.insert(name).second, "two styles are called \"{}\"", name);
  }
  return names;
}

}  // namespace

std::vector<TransformStage> stages(const TransformNet& network) {
  const std::int64_t w = network.width;
  std::vector<TransformStage> list{
      {.conv = "conv1",
       .norm = "norm1",
       .torch_conv = "conv1",
       .torch_norm = "in1",
       .in_channels = 3,
       .out_channels = w,
       .extent = 9},
      {.conv = "conv2",
       .norm = "norm2",
       .torch_conv = "conv2",
       .torch_norm = "in2",
       .in_channels = w,
       .out_channels = 2 * w,
       .stride = 2},
      {.conv = "conv3",
       .norm = "norm3",
       .torch_conv = "conv3",
       .torch_norm = "in3",
       .in_channels = 2 * w,
       .out_channels = 4 * w,
       .stride = 2},
  };
  for (std::int64_t i = 1; i <= network.residual_blocks; ++i)
    for (const char* half : {"1", "2"}) {
      const std::string block = "res" + std::to_string(i);
      const bool first = half[0] == '1';
      list.push_back({.conv = block + ".conv" + half,
                      .norm = block + ".norm" + half,
                      .torch_conv = block + ".conv" + half,
                      .torch_norm = block + ".in" + half,
                      .in_channels = 4 * w,
                      .out_channels = 4 * w,
                      .relu = first,
                      .opens_block = first,
                      .closes_block = !first});
    }
  list.push_back({.conv = "up1",
                  .norm = "norm4",
                  .torch_conv = "deconv1",
                  .torch_norm = "in4",
                  .in_channels = 4 * w,
                  .out_channels = 2 * w,
                  .up = true});
  list.push_back({.conv = "up2",
                  .norm = "norm5",
                  .torch_conv = "deconv2",
                  .torch_norm = "in5",
                  .in_channels = 2 * w,
                  .out_channels = w,
                  .up = true});
  list.push_back({.conv = "out",
                  .torch_conv = "deconv3",
                  .in_channels = w,
                  .out_channels = 3,
                  .extent = 9,
                  .relu = false});
  return list;
}

std::vector<ParameterShape> parameters(const TransformNet& network) {
  std::vector<ParameterShape> list;
  for (const TransformStage& s : stages(network)) {
    list.push_back(weight_of(s, network));
    if (s.is_last()) {
      list.push_back({s.conv + ".bias", {s.out_channels}});
      continue;
    }
    const std::vector<std::int64_t> row =
        network.rows() > 1 ? std::vector{network.rows(), std::int64_t{1}, std::int64_t{1}, s.out_channels}
                           : std::vector{s.out_channels};
    list.push_back({s.norm + ".gamma", row});
    list.push_back({s.norm + ".beta", row});
  }
  return list;
}

std::vector<TensorMapping> state_dict(const TransformNet& network) {
  std::vector<TensorMapping> list;
  for (const TransformStage& s : stages(network)) {
    const auto [name, shape] = weight_of(s, network);
    const std::string bias = s.torch_conv + ".conv2d.bias";
    list.push_back({name, shape, s.torch_conv + ".conv2d.weight", TensorLayout::ChannelsLast});
    if (s.is_last()) {
      list.push_back({s.conv + ".bias", {s.out_channels}, bias, TensorLayout::Same});
      continue;
    }
    list.push_back({"", {s.out_channels}, bias, TensorLayout::Zeros});
    list.push_back({s.norm + ".gamma", {s.out_channels}, s.torch_norm + ".weight", TensorLayout::Same});
    list.push_back({s.norm + ".beta", {s.out_channels}, s.torch_norm + ".bias", TensorLayout::Same});
  }
  return list;
}

std::string to_json(const TransformNet& network) {
  nlohmann::ordered_json json{{"width", network.width},
                              {"residual_blocks", network.residual_blocks},
                              {"upsample", kUpsampleNames[static_cast<std::size_t>(network.upsample)]},
                              {"padding", kPaddingNames[static_cast<std::size_t>(network.padding)]},
                              {"norm_eps", network.norm_eps},
                              {"output", kOutputRangeNames[static_cast<std::size_t>(network.output)]}};
  if (!network.styles.empty()) json["styles"] = network.styles;
  return json.dump();
}

TransformNet transform_net_from_json(const std::string& text, const std::string& file) {
  TransformNet network;
  parse_architecture(text, file, "transform network", [&](const nlohmann::json& json) {
    for (const auto& [key, value] : json.items())
      require(std::ranges::find(kTransformNetKeys, key) != kTransformNetKeys.end(), "unknown key '{}'", key);
    // Bounds that no real network exceeds keep a hostile file from asking for absurd amounts of memory.
    network.width = parse_integer(json, "width", {1, 1024});
    network.residual_blocks = parse_integer(json, "residual_blocks", {0, 100});
    network.upsample = parse_choice<Upsample>(json, "upsample", kUpsampleNames);
    network.padding = parse_choice<Padding>(json, "padding", kPaddingNames);
    network.norm_eps = json.at("norm_eps").get<double>();
    require(network.norm_eps > 0 && network.norm_eps < 1, "norm_eps {} is not between 0 and 1",
            network.norm_eps);
    network.output = parse_choice<OutputRange>(json, "output", kOutputRangeNames);
    network.styles = parse_styles(json);
  });
  return network;
}

}  // namespace chiaro
