#include "weights_import/onnx_export_graph.hpp"

#include <bit>

#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

static_assert(std::endian::native == std::endian::little);  // of raw_data

// Field numbers and enum values of onnx.proto.
namespace model_proto {
constexpr int kIrVersion = 1, kProducerName = 2, kProducerVersion = 3, kDocString = 6, kGraph = 7,
              kOpsetImport = 8, kMetadataProps = 14;
}
namespace operator_set_id {
constexpr int kDomain = 1, kVersion = 2;
}
namespace string_string_entry {
constexpr int kKey = 1, kValue = 2;
}
namespace graph_proto {
constexpr int kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12;
}
namespace node_proto {
constexpr int kInput = 1, kOutput = 2, kName = 3, kOpType = 4, kAttribute = 5;
}
namespace attribute_proto {
constexpr int kName = 1, kFloat = 2, kInt = 3, kString = 4, kInts = 8, kType = 20;
constexpr int kTypeFloat = 1, kTypeInt = 2, kTypeString = 3, kTypeInts = 7;
}  // namespace attribute_proto
namespace tensor_proto {
constexpr int kDims = 1, kDataType = 2, kName = 8, kRawData = 9;
constexpr int kFloat = 1, kInt64 = 7;
}  // namespace tensor_proto
namespace value_info {
constexpr int kName = 1, kType = 2, kDocString = 3;
}
namespace type_proto {
constexpr int kTensorType = 1;
constexpr int kElemType = 1, kShape = 2;               // of TypeProto.Tensor
constexpr int kDim = 1, kDimValue = 1, kDimParam = 2;  // of TensorShapeProto and its Dimension
}  // namespace type_proto

constexpr int kIrVersion = 7;
constexpr std::size_t kMaxBytes = 0x7fffffff;  // of a protobuf message

ProtobufWriter attribute(const std::string& name, const OnnxGraph::Value& value) {
  namespace a = attribute_proto;
  ProtobufWriter out;
  out.bytes(a::kName, name);
  int type = a::kTypeInts;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    out.integer(a::kInt, *integer);
    type = a::kTypeInt;
  } else if (const auto* number = std::get_if<float>(&value)) {
    out.number(a::kFloat, *number);
    type = a::kTypeFloat;
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    out.bytes(a::kString, *text);
    type = a::kTypeString;
  } else {
    for (const std::int64_t element : std::get<std::vector<std::int64_t>>(value))
      out.integer(a::kInts, element);
  }
  out.integer(a::kType, type);
  return out;
}

ProtobufWriter tensor(const std::string& name, std::span<const std::int64_t> shape, int data_type,
                      std::span<const std::byte> values) {
  namespace t = tensor_proto;
  ProtobufWriter out;
  for (const std::int64_t extent : shape) out.integer(t::kDims, extent);
  out.integer(t::kDataType, data_type);
  out.bytes(t::kName, name);
  out.bytes(t::kRawData, {reinterpret_cast<const char*>(values.data()), values.size()});
  return out;
}

// A float tensor that comes in or goes out.
ProtobufWriter value(const std::string& name, const std::vector<OnnxGraph::Dimension>& shape,
                     const std::string& description) {
  ProtobufWriter dimensions, tensor_type, type, out;
  for (const OnnxGraph::Dimension& dimension : shape) {
    ProtobufWriter one;
    if (const auto* size = std::get_if<std::int64_t>(&dimension))
      one.integer(type_proto::kDimValue, *size);
    else
      one.bytes(type_proto::kDimParam, std::get<std::string>(dimension));
    dimensions.message(type_proto::kDim, one);
  }
  tensor_type.integer(type_proto::kElemType, tensor_proto::kFloat);
  tensor_type.message(type_proto::kShape, dimensions);
  type.message(type_proto::kTensorType, tensor_type);
  out.bytes(value_info::kName, name);
  out.message(value_info::kType, type);
  out.bytes(value_info::kDocString, description);
  return out;
}

}  // namespace

void OnnxGraph::input(const std::string& name, const std::vector<Dimension>& shape,
                      const std::string& description) {
  inputs_.message(graph_proto::kInput, value(name, shape, description));
}

void OnnxGraph::output(const std::string& name, const std::vector<Dimension>& shape,
                       const std::string& description) {
  outputs_.message(graph_proto::kOutput, value(name, shape, description));
}

std::string OnnxGraph::floats(const std::string& name, const std::vector<std::int64_t>& shape,
                              std::span<const float> values) {
  initializers_.message(graph_proto::kInitializer,
                        tensor(name, shape, tensor_proto::kFloat, std::as_bytes(values)));
  return name;
}

std::string OnnxGraph::integers(const std::string& name, std::span<const std::int64_t> values) {
  const std::int64_t size = std::ssize(values);
  initializers_.message(graph_proto::kInitializer,
                        tensor(name, std::span(&size, 1), tensor_proto::kInt64, std::as_bytes(values)));
  return name;
}

std::string OnnxGraph::node(const std::string& op, const std::vector<std::string>& inputs,
                            const std::string& output, const Attributes& attributes) {
  ProtobufWriter out;
  for (const std::string& input : inputs) out.bytes(node_proto::kInput, input);
  out.bytes(node_proto::kOutput, output);
  out.bytes(node_proto::kName, output);
  out.bytes(node_proto::kOpType, op);
  for (const auto& [name, value] : attributes) out.message(node_proto::kAttribute, attribute(name, value));
  nodes_.message(graph_proto::kNode, out);
  return output;
}

std::string OnnxGraph::model(const std::string& name, const std::string& description, int opset,
                             const std::string& producer_version,
                             const std::vector<std::pair<std::string, std::string>>& metadata) const {
  // The fields of a message may be put together from parts: a graph is its nodes, then its name, ...
  ProtobufWriter graph_name;
  graph_name.bytes(graph_proto::kName, name);
  std::string graph =
      nodes_.data() + graph_name.data() + initializers_.data() + inputs_.data() + outputs_.data();
  require(graph.size() < kMaxBytes / 2, "ONNX: a network of {} bytes is too large for one file",
          graph.size());

  ProtobufWriter model, opset_id;
  model.integer(model_proto::kIrVersion, kIrVersion);
  model.bytes(model_proto::kProducerName, "chiaro");
  model.bytes(model_proto::kProducerVersion, producer_version);
  model.bytes(model_proto::kDocString, description);
  model.bytes(model_proto::kGraph, graph);
  opset_id.bytes(operator_set_id::kDomain, "");
  opset_id.integer(operator_set_id::kVersion, opset);
  model.message(model_proto::kOpsetImport, opset_id);
  for (const auto& [key, text] : metadata) {
    ProtobufWriter entry;
    entry.bytes(string_string_entry::kKey, key);
    entry.bytes(string_string_entry::kValue, text);
    model.message(model_proto::kMetadataProps, entry);
  }
  return model.data();
}

}  // namespace chiaro
