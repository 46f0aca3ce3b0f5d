#include "layers/networks/resnet_upproj/resnet_upproj.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

struct EncoderStage {
  int number, blocks;
  std::int64_t channels;  // of the bottleneck, in units of width; the block's output has four times as many
};
constexpr EncoderStage kEncoderStages[] = {{2, 3, 1}, {3, 4, 2}, {4, 6, 4}, {5, 3, 8}};

// The four convolutions whose outputs are interleaved: phases (0,0) (0,1) (1,0) (1,1).
struct Tap {
  char letter;
  std::int64_t r, s;
};
constexpr std::array<Tap, 4> kTaps{{{'A', 3, 3}, {'C', 3, 2}, {'B', 2, 3}, {'D', 2, 2}}};

constexpr std::array kUpprojFactors{"2x", "4x", "8x", "16x"};
constexpr std::array kUpprojEncoders{"resnet50-c4", "resnet50"};
constexpr std::array kUpprojSides{"nyu", "make3d"};

// Three taps are padded on both sides, two on one.
conv2d::Padding tap_padding(const Tap& tap, ResnetUpproj::Side side) {
  const bool nyu = side == ResnetUpproj::Side::Nyu;
  const auto before = [&](std::int64_t extent) { return extent == 3 || nyu ? 1 : 0; };
  const auto behind = [&](std::int64_t extent) { return extent == 3 || !nyu ? 1 : 0; };
  return {before(tap.r), behind(tap.r), before(tap.s), behind(tap.s)};
}

UpprojBottleneck bottleneck(const EncoderStage& stage, int block, std::int64_t width, std::int64_t in) {
  const std::string id = fmt::format("{}{}", stage.number, static_cast<char>('a' + block));
  const std::int64_t inner = stage.channels * width, outer = 4 * inner;
  const std::int64_t stride = block == 0 && stage.number > 2 ? 2 : 1;
  const auto conv = [&](const char* branch, std::int64_t k, std::int64_t extent, std::int64_t c,
                        std::int64_t step) {
    const std::int64_t pad = extent / 2;
    return UpprojConvolution{.scope = "res" + id + "_branch" + branch,
                             .norm = "bn" + id + "_branch" + branch,
                             .k = k,
                             .r = extent,
                             .s = extent,
                             .c = c,
                             .stride = step,
                             .pad = {pad, pad, pad, pad}};
  };
  UpprojBottleneck result{.feature = "res" + id};
  if (block == 0) result.shortcut = conv("1", outer, 1, in, stride);
  result.a = conv("2a", inner, 1, in, stride);
  result.b = conv("2b", inner, 3, inner, 1);
  result.c = conv("2c", outer, 1, inner, 1);
  return result;
}

UpProjection up_projection(const std::string& factor, std::int64_t c, ResnetUpproj::Side side) {
  UpProjection up{.feature = "up_" + factor, .scope = "layer" + factor};
  const std::int64_t k = c / 2;
  for (std::size_t i = 0; i < kTaps.size(); ++i) {
    const Tap& tap = kTaps[i];
    const auto branch = [&](const char* name) {
      return UpprojConvolution{.scope = fmt::format("{}_{}_Conv{}", up.scope, name, tap.letter),
                               .norm = fmt::format("{}_{}_BN", up.scope, name),
                               .has_bias = true,
                               .k = k,
                               .r = tap.r,
                               .s = tap.s,
                               .c = c,
                               .pad = tap_padding(tap, side)};
    };
    up.main[i] = branch("br1");
    up.shortcut[i] = branch("br2");
    up.letters[i] = tap.letter;
  }
  up.conv = {.scope = up.scope + "_Conv",
             .norm = up.scope + "_BN",
             .has_bias = true,
             .k = k,
             .r = 3,
             .s = 3,
             .c = k,
             .pad = {1, 1, 1, 1}};
  return up;
}

// Calls visit for every convolution, in the order of a file.
template <class Visit>
void for_each_convolution(const UpprojStages& all, Visit&& visit) {
  visit(all.conv1);
  for (const UpprojBottleneck& b : all.bottlenecks) {
    if (b.shortcut) visit(*b.shortcut);
    for (const UpprojConvolution* conv : {&b.a, &b.b, &b.c}) visit(*conv);
  }
  visit(all.layer1);
  for (const UpProjection& up : all.up_projections) {
    for (std::size_t i = 0; i < up.main.size(); ++i) visit(up.main[i]), visit(up.shortcut[i]);
    visit(up.conv);
  }
  visit(all.prediction);
}

}  // namespace

UpprojStages stages(const ResnetUpproj& network) {
  const std::int64_t w = network.width;
  require(w > 0, "ResNet-UpProj: width {}, expected at least 1", w);
  require(network.up_projections >= 1 && network.up_projections <= std::ssize(kUpprojFactors),
          "ResNet-UpProj: {} up-projections, expected 1 to {}", network.up_projections,
          kUpprojFactors.size());
  UpprojStages all;
  all.conv1 = {.scope = "conv1",
               .norm = "bn_conv1",
               .has_bias = true,
               .k = w,
               .r = 7,
               .s = 7,
               .c = 3,
               .stride = 2,
               .pad = {3, 3, 3, 3}};
  std::int64_t c = w;
  for (const EncoderStage& stage : kEncoderStages) {
    if (stage.number == 5 && !network.has_stage5) continue;
    for (int block = 0; block < stage.blocks; ++block) {
      all.bottlenecks.push_back(bottleneck(stage, block, w, c));
      c = all.bottlenecks.back().c.k;
    }
  }
  const std::int64_t decoder = network.decoder_width > 0 ? network.decoder_width : 16 * w;
  require(decoder % (1 << network.up_projections) == 0,
          "ResNet-UpProj: a decoder of {} channels cannot be halved {} times", decoder,
          network.up_projections);
  all.layer1 = {
      .scope = "layer1", .norm = "layer1_BN", .has_bias = true, .k = decoder, .r = 1, .s = 1, .c = c};
  c = decoder;
  for (int i = 0; i < network.up_projections; ++i, c /= 2)
    all.up_projections.push_back(
        up_projection(kUpprojFactors[static_cast<std::size_t>(i)], c, network.padding));
  all.prediction = {
      .scope = "ConvPred", .has_bias = true, .k = 1, .r = 3, .s = 3, .c = c, .pad = {1, 1, 1, 1}};
  return all;
}

std::vector<std::string> feature_names(const ResnetUpproj& network) {
  const UpprojStages all = stages(network);
  std::vector<std::string> names{"conv1", "pool1"};
  for (const UpprojBottleneck& b : all.bottlenecks) names.push_back(b.feature);
  names.push_back("layer1");
  for (const UpProjection& up : all.up_projections) names.push_back(up.feature);
  names.push_back("prediction");
  return names;
}

std::vector<ParameterShape> parameters(const ResnetUpproj& network) {
  std::vector<ParameterShape> list;
  std::set<std::string> norms;  // one can belong to four convolutions
  for_each_convolution(stages(network), [&](const UpprojConvolution& conv) {
    list.push_back({conv.scope + ".weight", {conv.k, conv.r, conv.s, conv.c}});
    if (conv.has_bias) list.push_back({conv.scope + ".bias", {conv.k}});
    if (conv.norm.empty() || !norms.insert(conv.norm).second) return;
    for (const char* part : {".scale", ".offset", ".mean", ".variance"})
      list.push_back({conv.norm + part, {conv.k}});
  });
  return list;
}

std::vector<TensorMapping> state_dict(const ResnetUpproj& network) {
  std::vector<TensorMapping> list;
  for (const ParameterShape& parameter : parameters(network)) list.push_back(same_name_mapping(parameter));
  return list;
}

std::string to_json(const ResnetUpproj& network) {
  nlohmann::ordered_json json{{"width", network.width},
                              {"encoder", kUpprojEncoders[network.has_stage5]},
                              {"padding", kUpprojSides[static_cast<std::size_t>(network.padding)]}};
  if (network.decoder_width != ResnetUpproj{}.decoder_width) json["decoder_width"] = network.decoder_width;
  if (network.up_projections != ResnetUpproj{}.up_projections)
    json["up_projections"] = network.up_projections;
  return json.dump();
}

ResnetUpproj resnet_upproj_of(const WeightsFile& weights, const std::string& file) {
  ResnetUpproj network;
  parse_architecture(weights.architecture, file, "depth network", [&](const nlohmann::json& json) {
    network.width = parse_integer(json, "width", {1, 1024}, 64);
    if (json.contains("encoder"))
      network.has_stage5 = parse_choice<int>(json, "encoder", kUpprojEncoders) == 1;
    if (json.contains("padding"))
      network.padding = parse_choice<ResnetUpproj::Side>(json, "padding", kUpprojSides);
    network.decoder_width = parse_integer(json, "decoder_width", {0, 4096}, 0);
    network.up_projections = static_cast<int>(parse_integer(json, "up_projections", {1, 4}, 4));
  });
  network.preprocess = parse_preprocess(weights.preprocess, file);
  return network;
}

}  // namespace chiaro
