#include "weights_import/onnx_export.hpp"

#include <array>

#include "engine/file_util.hpp"
#include "kernels/base/build_config.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/transform_net/transform_net.hpp"
#include "weights_import/onnx_export_graph.hpp"
#include "weights_import/state_dict.hpp"

namespace chiaro {
namespace {

constexpr int kOpset = 13;

using Integers = std::vector<std::int64_t>;

// Appends the network's layers; x is always the name of the tensor so far.
class OnnxNetwork {
 public:
  explicit OnnxNetwork(const TransformNet& network)
      : network_(network), zero_padding_(network.padding == Padding::Zero) {}

  OnnxGraph graph;

  void build() {
    const std::vector<OnnxGraph::Dimension> shape = {"N", 3, "H", "W"};
    graph.input("picture", shape, "RGB, 0 to 255, at least 16 x 16 pixels");
    graph.output("stylized", shape, "RGB, 0 to 255, not clamped");
    constants();
    std::string x = whole("picture");
    std::string skip;
    for (const TransformStage& stage : stages(network_)) {
      if (stage.opens_block) skip = x;
      x = stage.up ? up(x, stage.torch_conv)
                   : conv(x, stage.torch_conv, stage.extent, stage.stride, stage.is_last());
      if (!stage.is_last()) x = norm(x, stage.torch_norm);
      if (stage.relu) x = relu(x);
      if (stage.closes_block) x = graph.node("Add", {x, skip}, block_of(stage));
    }
    if (network_.output == OutputRange::Tanh150) {
      x = graph.node("Tanh", {x}, "range.tanh");
      x = graph.node("Mul", {x, "range.amplitude"}, "range.scaled");
      x = graph.node("Add", {x, "range.center"}, "range");
    }
    graph.node("Slice", {x, "crop.begin", "whole.size", "crop.axes"}, "stylized");
  }

 private:
  // "res1" of "res1.conv2"
  static std::string block_of(const TransformStage& stage) {
    return stage.conv.substr(0, stage.conv.find('.'));
  }

  void constants() {
    graph.integers("whole.first", Integers{2});
    graph.integers("whole.end", Integers{4});
    graph.integers("whole.axis", Integers{0});
    graph.integers("whole.three", Integers{3});
    graph.integers("whole.four", Integers{4});
    graph.integers("whole.unpadded", Integers(6, 0));
    graph.integers("crop.begin", Integers{0, 0});
    graph.integers("crop.axes", Integers{2, 3});
    if (!zero_padding_)
      for (const std::int64_t b : {1, 4}) graph.integers(pad_name(b), Integers{0, 0, b, b, 0, 0, b, b});
    if (network_.upsample == Upsample::Nearest) graph.floats("twice", {4}, std::array{1.f, 1.f, 2.f, 2.f});
    if (network_.output == OutputRange::Tanh150) {
      graph.floats("range.amplitude", {}, std::array{150.f});
      graph.floats("range.center", {}, std::array{127.5f});
    }
  }

  static std::string pad_name(std::int64_t border) { return "border." + std::to_string(border); }

  // Reflects the picture out to multiples of 4 at the bottom and right: by -size mod 4 = 3 size mod 4.
  std::string whole(const std::string& picture) {
    const std::string shape = graph.node("Shape", {picture}, "whole.shape");
    const std::string size =
        graph.node("Slice", {shape, "whole.first", "whole.end", "whole.axis"}, "whole.size");
    const std::string tripled = graph.node("Mul", {size, "whole.three"}, "whole.tripled");
    const std::string extra = graph.node("Mod", {tripled, "whole.four"}, "whole.extra");
    const std::string pads =
        graph.node("Concat", {"whole.unpadded", extra}, "whole.pads", {{"axis", std::int64_t{0}}});
    return graph.node("Pad", {picture, pads}, "whole", {{"mode", "reflect"}});
  }

  std::string conv(std::string x, const std::string& name, std::int64_t extent, std::int64_t stride,
                   bool has_bias = false) {
    const std::int64_t border = extent / 2;
    OnnxGraph::Attributes attributes = {{"kernel_shape", Integers{extent, extent}},
                                        {"strides", Integers{stride, stride}}};
    if (zero_padding_)
      attributes.emplace_back("pads", Integers(4, border));
    else
      x = graph.node("Pad", {x, pad_name(border)}, name + ".border", {{"mode", "reflect"}});
    std::vector<std::string> inputs = {x, name + ".conv2d.weight"};
    if (has_bias) inputs.push_back(name + ".conv2d.bias");
    return graph.node("Conv", inputs, name, attributes);
  }

  std::string up(const std::string& x, const std::string& name) {
    if (network_.upsample == Upsample::Transposed) {
      return graph.node("ConvTranspose", {x, name + ".conv2d.weight"}, name,
                        {{"kernel_shape", Integers{3, 3}},
                         {"strides", Integers{2, 2}},
                         {"pads", Integers{1, 1, 1, 1}},
                         {"output_padding", Integers{1, 1}}});
    }
    const std::string large = graph.node(
        "Resize", {x, "", "twice"}, name + ".nearest",
        {{"coordinate_transformation_mode", "asymmetric"}, {"mode", "nearest"}, {"nearest_mode", "floor"}});
    return conv(large, name, 3, 1);
  }

  std::string norm(const std::string& x, const std::string& name) {
    return graph.node("InstanceNormalization", {x, name + ".weight", name + ".bias"}, name,
                      {{"epsilon", static_cast<float>(network_.norm_eps)}});
  }

  std::string relu(const std::string& x) { return graph.node("Relu", {x}, x + ".relu"); }

  const TransformNet& network_;
  const bool zero_padding_;
};

void check(const WeightsFile& weights, const std::string& file) {
  if (weights.kind != "transform_net")
    throw Error("{}: only transform networks can be written as ONNX, this is a {}", file, weights.kind);
  const Preprocess preprocess = parse_preprocess(weights.preprocess, file);
  if (preprocess.mean != Preprocess{}.mean || preprocess.scale != Preprocess{}.scale) {
    throw Error(
        "{}: the network wants preprocessed pictures ({}), but ONNX files of transform networks take RGB "
        "0..255 as it is",
        file, weights.preprocess);
  }
  for (const NamedTensor& tensor : weights.parameters) check_finite(tensor.name, tensor.values, file);
}

}  // namespace

void export_onnx(const std::filesystem::path& path, const WeightsFile& weights) {
  check(weights, path.string());
  const TransformNet described = transform_net_from_json(weights.architecture, path.string());
  require(described.rows() == 1 && described.output != OutputRange::Scaled150,
          "{}: ONNX files hold one style, with its output range in the last convolution (choose_style)",
          path.string());
  OnnxNetwork network(described);
  network.build();
  const auto mappings = state_dict(described);
  const std::vector<NamedTensor> state_dict =
      to_state_dict(weights);  // as long as, and in the order of, mappings
  for (std::size_t i = 0; i < mappings.size(); ++i) {
    const NamedTensor& tensor = state_dict[i];
    if (mappings[i].layout != TensorLayout::Zeros)
      network.graph.floats(tensor.name, tensor.shape, tensor.values);
  }
  write_text(path, network.graph.model("transform_net",
                                       "Restyles pictures. Round the output and clamp it to 0..255.", kOpset,
                                       kVersion,
                                       {{"preprocessing", "none: RGB, 0 to 255, channels first"},
                                        {"chiaro.kind", weights.kind},
                                        {"chiaro.architecture", weights.architecture},
                                        {"chiaro.preprocess", weights.preprocess},
                                        {"chiaro.provenance", weights.provenance}}));
}

}  // namespace chiaro
