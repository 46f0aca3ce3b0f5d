// Reads one variable of a MATLAB 5 file from a stream of bytes into a tree; numbers of arrays are passed
// over.
#pragma once
#include <cstdint>
#include <string>

#include "weights_import/files/mat_stream.hpp"
#include "weights_import/files/mat_value.hpp"

namespace chiaro {

// Types of stored data elements ("mi" constants of the format).
enum class MatStored : std::uint8_t {
  Int8 = 1,
  UInt8 = 2,
  Int16 = 3,
  UInt16 = 4,
  Int32 = 5,
  UInt32 = 6,
  Single = 7,
  Double = 9,
  Int64 = 12,
  UInt64 = 13,
  Matrix = 14,
  Compressed = 15,
  Utf8 = 16,
  Utf16 = 17,
  Utf32 = 18,
};

// Bytes of one stored number or code unit; 0 for what is neither.
std::int64_t stored_bytes(std::uint8_t stored);

struct MatTag {
  std::uint8_t stored = 0;
  std::int64_t bytes = 0;    // of the data, without padding
  std::int64_t padding = 0;  // that follows the data
};

struct MatV5Context {
  std::string file;  // for messages
  bool big_endian = false;
  MatBudget* budget = nullptr;
  std::int32_t element = 0;  // noted in payloads
};

// A tag, of which the data must end at or before `end`.
MatTag read_mat_tag(MatStream& stream, const MatV5Context& context, std::int64_t end);

struct MatNamed {
  std::string name;
  MatValue value;
};

// The contents of a matrix element of `bytes` bytes; the stream is left behind it.
MatNamed read_mat_matrix(MatStream& stream, const MatV5Context& context, std::int64_t bytes, int depth = 0);

}  // namespace chiaro
