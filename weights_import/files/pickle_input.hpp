// The bytes of a pickle, one after the other, from a file or from memory. What lies behind the end is an
// Error.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "weights_import/files/input_file.hpp"

namespace chiaro {

class PickleInput {
 public:
  static constexpr std::int64_t kLongestLine = 65536;

  PickleInput(const InputFile& file, std::int64_t offset);
  PickleInput(const std::string& name, std::span<const std::byte> memory);  // memory must outlive it

  std::int64_t position() const { return start_ + next_; }  // in the file or in memory
  std::uint8_t byte();
  std::uint64_t little(int bytes);  // an unsigned number of 1 to 8 bytes, lowest first
  void append_to(std::string& text, std::int64_t count);
  void skip(std::int64_t count);
  std::string line();  // up to the next '\n', which is taken too and left out
  // Throws Error unless count more bytes are there.
  void need(std::int64_t count) const;

 private:
  void fill();

  std::string name_;
  const InputFile* file_ = nullptr;
  std::vector<std::byte> buffer_;
  std::span<const std::byte> window_;  // the part at hand: all of the memory, or a piece of the file
  std::int64_t start_ = 0, next_ = 0;  // where the window begins, and what is next in it
};

}  // namespace chiaro
