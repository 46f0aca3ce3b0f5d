// Reads Protocol Buffers messages field by field, for tests: the bytes of a file, not our writer, say what is
// in it.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "kernels/base/error.hpp"

namespace chiaro::test {

struct ProtobufField {
  int number = 0, wire_type = 0;
  std::uint64_t integer = 0;  // wire types 0 and 5
  std::string_view bytes;     // wire type 2

  float number_value() const { return std::bit_cast<float>(static_cast<std::uint32_t>(integer)); }
};

class ProtobufMessage {
 public:
  explicit ProtobufMessage(std::string_view bytes) {
    std::size_t at = 0;
    const auto varint = [&] {
      std::uint64_t value = 0;
      for (int shift = 0;; shift += 7) {
        require(at < bytes.size() && shift < 64, "protobuf: a number is cut off");
        const auto byte = static_cast<unsigned char>(bytes[at++]);
        value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
      }
    };
    while (at < bytes.size()) {
      const std::uint64_t tag = varint();
      ProtobufField field{.number = static_cast<int>(tag >> 3), .wire_type = static_cast<int>(tag & 7)};
      if (field.wire_type == 0) {
        field.integer = varint();
      } else {
        const std::uint64_t length = field.wire_type == 2 ? varint() : 4;
        require((field.wire_type == 2 || field.wire_type == 5) && length <= bytes.size() - at,
                "protobuf: wire type {}, {} bytes", field.wire_type, length);
        if (field.wire_type == 2)
          field.bytes = bytes.substr(at, length);
        else
          std::memcpy(&field.integer, bytes.data() + at, 4);
        at += length;
      }
      fields_.push_back(field);
    }
  }

  std::vector<ProtobufField> all(int number) const {
    std::vector<ProtobufField> found;
    for (const ProtobufField& field : fields_)
      if (field.number == number) found.push_back(field);
    return found;
  }
  // The only field of that number; an empty one when there is none.
  ProtobufField one(int number) const {
    const auto found = all(number);
    require(found.size() <= 1, "protobuf: field {} is there {} times", number, found.size());
    return found.empty() ? ProtobufField{} : found[0];
  }

 private:
  std::vector<ProtobufField> fields_;
};

}  // namespace chiaro::test
