// The bytes of a MATLAB 5 file from some place on, front to back: as they are in the file, or inflated.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "weights_import/files/input_file.hpp"

namespace chiaro {

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

}  // namespace chiaro
