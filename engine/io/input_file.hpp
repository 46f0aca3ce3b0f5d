// Bounded random access to a file that may be damaged or hostile.
//
// Bytes are read where and when they are asked for (pread, no mapping: a file cut short while it is read is
// an error, not a signal). Every offset and length may come from the file itself: what lies outside is an
// Error that says so. Const members may be called from several threads.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace chiaro {

class InputFile {
 public:
  // A missing or unreadable file, a folder, a device and a pipe are Errors.
  explicit InputFile(const std::filesystem::path& path);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  const std::string& name() const { return name_; }  // as given, for messages
  std::int64_t bytes() const { return bytes_; }
  int duplicate() const;  // a descriptor of the same file, for a library that reads it and closes it

  // Fills out with the bytes from offset on. Throws Error, "<file>: ends at byte N, but what lies at ... ",
  // when the file is too short. what: the thing that is read, for the message ("storage '17'").
  void read(std::int64_t offset, std::span<std::byte> out, const char* what) const;

  // Throws the same Error when [offset, offset + bytes) is not inside the file. Call it before allocating.
  void check_range(std::int64_t offset, std::int64_t bytes, const char* what) const;

 private:
  std::string name_;
  std::int64_t bytes_ = 0;
  int descriptor_ = -1;
};

}  // namespace chiaro
