// Parses what export_onnx writes with a protobuf reader of the tests, by the field numbers of onnx.proto, and
// compares nodes, constants and metadata. That the graph computes the network: check_onnx.py.
#include "weights_import/onnx_export.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>

#include "engine/file_util.hpp"
#include "layers/networks/transform_net/transform_net.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/weights_import/network_of_kind.hpp"
#include "tests/weights_import/protobuf_walk.hpp"
#include "weights_import/files/protobuf_writer.hpp"

namespace chiaro {
namespace {

using test::contains;
using test::error_of;
using test::network_of_kind;
using test::ProtobufField;
using test::ProtobufMessage;
using test::TemporaryFolder;
using Dims = std::vector<std::int64_t>;

struct Node {
  std::string op, name;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, std::string> attributes;  // as text
};

struct Constant {
  Dims shape;
  std::int64_t type = 0;  // 1 float, 7 int64
  std::string raw;

  template <class T>
  std::vector<T> values() const {
    std::vector<T> list(raw.size() / sizeof(T));
    std::memcpy(list.data(), raw.data(), raw.size());
    return list;
  }
};

struct Model {
  std::int64_t ir_version = 0, opset = 0;
  std::string producer;
  std::map<std::string, std::string> metadata;
  std::vector<Node> nodes;
  std::map<std::string, Constant> constants;
  std::string input, output;  // "name(N,3,H,W)"

  std::string ops() const {
    std::string text;
    for (const Node& node : nodes) text += node.op + " ";
    return text;
  }
  const Node& node(const std::string& name) const {
    for (const Node& node : nodes)
      if (node.name == name) return node;
    throw Error("no node '{}'", name);
  }
};

std::string attribute_text(const ProtobufMessage& attribute) {
  const auto value = [&](int number) {
    require(attribute.all(number).size() == 1, "an attribute without its field {}", number);
    return attribute.one(number);
  };
  switch (attribute.one(20).integer) {
    case 1:
      return fmt::format("{}", value(2).number_value());
    case 2:
      return std::to_string(value(3).integer);
    case 3:
      return std::string(value(4).bytes);
    case 7: {
      std::string text;
      for (const ProtobufField& element : attribute.all(8)) text += std::to_string(element.integer) + " ";
      return text;
    }
  }
  throw Error("attribute of type {}", attribute.one(20).integer);
}

std::string value_text(std::string_view bytes) {
  const ProtobufMessage value(bytes), type(value.one(2).bytes), tensor(type.one(1).bytes),
      shape(tensor.one(2).bytes);
  CHECK(tensor.one(1).integer == 1);  // float
  std::string text(value.one(1).bytes);
  for (const ProtobufField& dim : shape.all(1)) {
    const ProtobufMessage dimension(dim.bytes);
    const auto name = dimension.one(2).bytes;
    text += "," + (name.empty() ? std::to_string(dimension.one(1).integer) : std::string(name));
  }
  return text;
}

Model parse(const std::string& bytes) {
  const ProtobufMessage message(bytes), graph(message.one(7).bytes), opset(message.one(8).bytes);
  Model model;
  model.ir_version = static_cast<std::int64_t>(message.one(1).integer);
  model.opset = static_cast<std::int64_t>(opset.one(2).integer);
  model.producer = message.one(2).bytes;
  for (const ProtobufField& field : message.all(14)) {
    const ProtobufMessage entry(field.bytes);
    model.metadata[std::string(entry.one(1).bytes)] = entry.one(2).bytes;
  }
  for (const ProtobufField& field : graph.all(1)) {
    const ProtobufMessage node(field.bytes);
    Node parsed{.op = std::string(node.one(4).bytes), .name = std::string(node.one(3).bytes)};
    for (const ProtobufField& input : node.all(1)) parsed.inputs.emplace_back(input.bytes);
    for (const ProtobufField& output : node.all(2)) parsed.outputs.emplace_back(output.bytes);
    for (const ProtobufField& a : node.all(5)) {
      const ProtobufMessage attribute(a.bytes);
      parsed.attributes[std::string(attribute.one(1).bytes)] = attribute_text(attribute);
    }
    model.nodes.push_back(parsed);
  }
  for (const ProtobufField& field : graph.all(5)) {
    const ProtobufMessage tensor(field.bytes);
    Constant constant{.type = static_cast<std::int64_t>(tensor.one(2).integer),
                      .raw = std::string(tensor.one(9).bytes)};
    for (const ProtobufField& extent : tensor.all(1))
      constant.shape.push_back(static_cast<std::int64_t>(extent.integer));
    CHECK(model.constants.emplace(std::string(tensor.one(8).bytes), constant).second);
  }
  model.input = value_text(graph.one(11).bytes);
  model.output = value_text(graph.one(12).bytes);
  return model;
}

WeightsFile network(const TransformNet& architecture) {
  return network_of_kind("transform_net", to_json(architecture));
}

Model exported(const WeightsFile& weights) {
  const TemporaryFolder folder;
  export_onnx(folder / "x.onnx", weights);
  CHECK(folder.entries() == 1);
  return parse(read_text(folder / "x.onnx"));
}

std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

TEST_CASE("protobuf: the bytes of the encoding guide") {
  ProtobufWriter inner, outer;
  inner.integer(1, 150);
  CHECK(inner.data() == "\x08\x96\x01");
  outer.bytes(2, "testing");
  CHECK(outer.data() == "\x12\x07testing");
  outer.message(3, inner);
  CHECK(outer.data().substr(9) == "\x1a\x03\x08\x96\x01");
  ProtobufWriter other;
  other.integer(1, -2);
  CHECK(other.data() == "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  other.number(16, 1.f);
  CHECK(other.data().substr(11) == std::string("\x85\x01\x00\x00\x80\x3f", 6));
}

TEST_CASE("onnx: the nodes of every variant") {
  const std::string whole = "Shape Slice Mul Mod Concat Pad ";
  for (const bool transposed : {false, true}) {
    for (const bool zero : {false, true}) {
      for (const bool tanh : {false, true}) {
        for (const int blocks : {0, 2}) {
          const Model model =
              exported(network({.width = 2,
                                .residual_blocks = blocks,
                                .upsample = transposed ? Upsample::Transposed : Upsample::Nearest,
                                .padding = zero ? Padding::Zero : Padding::Reflect,
                                .norm_eps = 1e-3,
                                .output = tanh ? OutputRange::Tanh150 : OutputRange::Linear}));
          const std::string conv = zero ? "Conv " : "Pad Conv ", norm = "InstanceNormalization ";
          const std::string up = (transposed ? "ConvTranspose " : "Resize " + conv) + norm + "Relu ";
          CHECK(model.ops() == whole + repeated(conv + norm + "Relu ", 3) +
                                   repeated(conv + norm + "Relu " + conv + norm + "Add ", blocks) + up + up +
                                   conv + (tanh ? "Tanh Mul Add " : "") + "Slice ");
          for (const Node& node : model.nodes) {
            if (node.op == "InstanceNormalization") CHECK(node.attributes.at("epsilon") == "0.001");
            if (node.op == "Pad") CHECK(node.attributes.at("mode") == "reflect");
            if (node.op == "Conv") CHECK(node.attributes.contains("pads") == zero);
          }
          CHECK(model.constants.contains("border.4") == !zero);
          CHECK(model.constants.contains("twice") == !transposed);
        }
      }
    }
  }
}

TEST_CASE("onnx: every input of a node is there before it") {
  for (const Upsample upsample : {Upsample::Nearest, Upsample::Transposed}) {
    const Model model = exported(
        network({.width = 1, .residual_blocks = 1, .upsample = upsample, .output = OutputRange::Tanh150}));
    std::set<std::string> known = {"picture", ""}, used;
    for (const auto& [name, constant] : model.constants) known.insert(name);
    for (const Node& node : model.nodes) {
      for (const std::string& input : node.inputs) {
        CAPTURE(input);
        CHECK(known.contains(input));
        used.insert(input);
      }
      REQUIRE(node.outputs.size() == 1);
      CHECK(known.insert(node.outputs[0]).second);
    }
    for (const auto& [name, constant] : model.constants) {
      CAPTURE(name);
      CHECK(used.contains(name));
    }
    CHECK(model.nodes.back().outputs[0] == "stylized");
  }
}

TEST_CASE("onnx: attributes and constants") {
  const Model model = exported(network({.width = 2, .residual_blocks = 1, .output = OutputRange::Tanh150}));
  CHECK(model.node("whole.pads").attributes.at("axis") == "0");
  CHECK(model.node("conv1").attributes.at("kernel_shape") == "9 9 ");
  CHECK(model.node("conv1").attributes.at("strides") == "1 1 ");
  CHECK(model.node("conv2").attributes.at("strides") == "2 2 ");
  CHECK(model.node("conv1.border").inputs == std::vector<std::string>{"whole", "border.4"});
  CHECK(model.node("res1.conv2.border").inputs == std::vector<std::string>{"res1.in1.relu", "border.1"});
  CHECK(model.node("res1").inputs == std::vector<std::string>{"res1.in2", "in3.relu"});
  CHECK(model.node("deconv3").inputs ==
        std::vector<std::string>{"deconv3.border", "deconv3.conv2d.weight", "deconv3.conv2d.bias"});
  CHECK(model.node("deconv1.nearest").attributes ==
        std::map<std::string, std::string>{{"mode", "nearest"},
                                           {"coordinate_transformation_mode", "asymmetric"},
                                           {"nearest_mode", "floor"}});
  CHECK(model.node("stylized").inputs ==
        std::vector<std::string>{"range", "crop.begin", "whole.size", "crop.axes"});
  CHECK(model.constants.at("border.4").values<std::int64_t>() == Dims{0, 0, 4, 4, 0, 0, 4, 4});
  CHECK(model.constants.at("twice").values<float>() == std::vector<float>{1, 1, 2, 2});
  CHECK(model.constants.at("range.amplitude").values<float>() == std::vector<float>{150});
  CHECK(model.constants.at("range.center").values<float>() == std::vector<float>{127.5f});
  CHECK(model.constants.at("range.center").shape.empty());

  const Model zero = exported(network({.width = 1, .residual_blocks = 0, .padding = Padding::Zero}));
  CHECK(zero.node("conv1").attributes.at("pads") == "4 4 4 4 ");
  CHECK(zero.node("conv3").attributes.at("pads") == "1 1 1 1 ");
  const Model transposed =
      exported(network({.width = 1, .residual_blocks = 0, .upsample = Upsample::Transposed}));
  CHECK(transposed.node("deconv2").attributes ==
        std::map<std::string, std::string>{
            {"kernel_shape", "3 3 "}, {"strides", "2 2 "}, {"pads", "1 1 1 1 "}, {"output_padding", "1 1 "}});
}

TEST_CASE("onnx: weights have PyTorch's names and layout, and every value") {
  for (const Upsample upsample : {Upsample::Nearest, Upsample::Transposed}) {
    const TransformNet architecture{.width = 3, .residual_blocks = 1, .upsample = upsample};
    const WeightsFile weights = network(architecture);
    const Model model = exported(weights);
    for (const TensorMapping& mapping : state_dict(architecture)) {
      CAPTURE(mapping.foreign);
      if (mapping.layout == TensorLayout::Zeros) {
        CHECK_FALSE(model.constants.contains(mapping.foreign));
        continue;
      }
      const Constant& constant = model.constants.at(mapping.foreign);
      const NamedTensor& native = *weights.find(mapping.native);
      CHECK(constant.type == 1);
      CHECK(constant.shape == mapping.foreign_shape());
      const std::vector<float> values = constant.values<float>();
      REQUIRE(values.size() == native.values.size());
      std::int64_t wrong = 0;
      const bool conv = native.shape.size() == 4;
      const std::int64_t c = conv ? native.shape[3] : 1, rs = conv ? native.shape[1] * native.shape[2] : 1;
      for (std::int64_t i = 0; i < std::ssize(values); ++i)  // i: place in (a,b,r,s)
        wrong += values[i] != native.values[(i / (c * rs) * rs + i % rs) * c + i / rs % c];
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("onnx: header, free sizes and metadata") {
  const TemporaryFolder folder;
  const WeightsFile weights = network({.width = 1, .residual_blocks = 0});
  const Model model = exported(weights);
  CHECK(model.ir_version == 7);
  CHECK(model.opset == 13);
  CHECK(model.producer == "chiaro");
  CHECK(model.input == "picture,N,3,H,W");
  CHECK(model.output == "stylized,N,3,H,W");
  CHECK(model.metadata ==
        std::map<std::string, std::string>{{"preprocessing", "none: RGB, 0 to 255, channels first"},
                                           {"chiaro.kind", "transform_net"},
                                           {"chiaro.architecture", weights.architecture},
                                           {"chiaro.preprocess", weights.preprocess},
                                           {"chiaro.provenance", weights.provenance}});
  export_onnx(folder / "a", weights);
  export_onnx(folder / "b", weights);
  CHECK(read_text(folder / "a") == read_text(folder / "b"));
}

TEST_CASE("onnx: what cannot be exported is refused") {
  const TemporaryFolder folder;
  const auto message = [&](const WeightsFile& weights) {
    return error_of([&] { export_onnx(folder / "x", weights); });
  };
  const std::string file = (folder / "x").string();
  CHECK(message(network_of_kind("vgg16", R"({"width":1})")) ==
        file + ": only transform networks can be written as ONNX, this is a vgg16");
  WeightsFile weights = network({.width = 1, .residual_blocks = 0});
  weights.preprocess = to_json(Preprocess{{1, 2, 3}, {1, 1, 1}, "caffe"});
  CHECK(contains(message(weights), "the network wants preprocessed pictures ({\"channels\""));
  weights = network({.width = 1, .residual_blocks = 0});
  weights.parameters[0].values[0] = INFINITY;
  CHECK(contains(message(weights), "tensor 'conv1.weight' holds NaN or infinity"));
  weights.parameters.erase(weights.parameters.begin());
  CHECK(contains(message(weights), "no tensor 'conv1.weight'"));
  CHECK(folder.entries() == 0);
}

}  // namespace
}  // namespace chiaro
