// MATLAB 5 files.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "engine/io/input_file.hpp"
#include "weights_import/files/mat_file.hpp"

namespace chiaro {

// The bytes of a MATLAB 5 file from some place on, front to back: as they are in the file, or inflated.
class MatStream {
 public:
  virtual ~MatStream() = default;

  // The next bytes. Throws Error when there are not so many or compressed data is damaged.
  virtual void read(std::span<std::byte> out) = 0;
  virtual void skip(std::int64_t bytes) = 0;
  // Reads to the end, so that a checksum there is compared.
  virtual void finish() = 0;

  std::int64_t position() const { return position_; }  // of the next byte

 protected:
  std::int64_t position_ = 0;
};

// Positions are those in the file; the stream ends at `end`.
std::unique_ptr<MatStream> file_stream(const InputFile& file, std::int64_t begin, std::int64_t end);

// Inflates the zlib data in [begin, end); positions count inflated bytes from 0. Growing beyond `most` bytes
// is an Error. Needs 100 KB, whatever the data claim.
std::unique_ptr<MatStream> inflating_stream(const InputFile& file, std::int64_t begin, std::int64_t end,
                                            std::int64_t most);

// Reads one variable of a MATLAB 5 file from a stream of bytes into a tree; numbers of arrays are passed
// over.

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

// MATLAB 5 files; use them through mat_file.hpp.
std::unique_ptr<MatReader> open_mat_v5(std::unique_ptr<InputFile> file);

}  // namespace chiaro
