// Writes Protocol Buffers messages (protobuf.dev/programming-guides/encoding), as far as ONNX needs them. A
// field is its number and wire type as a varint, then the value: 0 varint, 2 length and bytes, 5 four bytes.
// Fields appear in the order of the calls. protoc and libprotobuf for a handful of messages would be a larger
// dependency than this file.
#pragma once
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace chiaro {

class ProtobufWriter {
 public:
  // int32, int64 and enums alike; negative numbers take ten bytes.
  void integer(int field, std::int64_t value) {
    tag(field, 0);
    varint(static_cast<std::uint64_t>(value));
  }

  void number(int field, float value) {
    tag(field, 5);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) data_.push_back(static_cast<char>(bits >> shift & 0xff));
  }

  // Strings and bytes.
  void bytes(int field, std::string_view value) {
    tag(field, 2);
    varint(value.size());
    data_.append(value);
  }

  void message(int field, const ProtobufWriter& value) { bytes(field, value.data_); }

  const std::string& data() const { return data_; }

 private:
  void tag(int field, int wire_type) {
    varint(static_cast<std::uint64_t>(field) << 3 | static_cast<unsigned>(wire_type));
  }

  // Seven bits a byte, the lowest first; the top bit says that more follow.
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) data_.push_back(static_cast<char>(value | 0x80));
    data_.push_back(static_cast<char>(value));
  }

  std::string data_;
};

}  // namespace chiaro
