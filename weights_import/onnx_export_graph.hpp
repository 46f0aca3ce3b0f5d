// Puts an ONNX model together: nodes and constant tensors by name, then the whole as bytes. Messages and
// field numbers are those of onnx.proto (github.com/onnx/onnx), IR version 7. fp32 and int64 tensors only.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "weights_import/files/protobuf_writer.hpp"

namespace chiaro {

class OnnxGraph {
 public:
  using Value = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>>;
  using Attributes = std::vector<std::pair<std::string, Value>>;
  using Dimension = std::variant<std::int64_t, std::string>;  // a size, or the name of one that is free

  void input(const std::string& name, const std::vector<Dimension>& shape, const std::string& description);
  void output(const std::string& name, const std::vector<Dimension>& shape, const std::string& description);

  // Constants; each returns its name.
  std::string floats(const std::string& name, const std::vector<std::int64_t>& shape,
                     std::span<const float> values);
  std::string integers(const std::string& name, std::span<const std::int64_t> values);  // one dimension

  // A node with one output, which it is named after and which is returned. "" as an input: left out.
  std::string node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
                   const Attributes& attributes = {});

  // The ModelProto, for the default operator set of this version. metadata: keys and texts.
  std::string model(const std::string& name, const std::string& description, int opset,
                    const std::string& producer_version,
                    const std::vector<std::pair<std::string, std::string>>& metadata) const;

 private:
  ProtobufWriter nodes_, initializers_, inputs_, outputs_;  // fields of a GraphProto
};

}  // namespace chiaro
