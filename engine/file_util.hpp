// Whole small files, and files that appear complete or not at all.
//
// Every file that a program writes is a NewFile: its bytes go into a temporary in the same folder, which takes the
// name when all of them are on the disk. A reader sees the old contents or the new ones, never a part.
// Errors name the file, the reason and what to check.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>

namespace chiaro {

// The whole file as bytes.
std::string read_text(const std::filesystem::path& path);

// Replaces the file at path by what write() puts into the stream, or by a text. The folder must exist.
void write_file(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);
void write_text(const std::filesystem::path& path, std::string_view text);

// Throws where a file of this name cannot be made: for programs that work long before they write.
void require_place(const std::filesystem::path& path);

// "PATH: cannot be written: REASON; check ..." for a value of errno.
std::string write_failure(const std::filesystem::path& path, int reason);

// A file that is being written.
//
// Temporary   ".chiaro-" and 16 random hexadecimal digits: short, so that the longest names work; nobody can
//             foresee it, no link is followed. It is locked (flock) while it is written.
// Leftovers   Temporaries of killed programs are removed when a program writes its first file into a folder:
//             those that nobody has locked.
// Failures    Writing never throws; the first failure is kept, later bytes are dropped, check() and commit() throw
//             it. The temporary is then removed; what had the name before is untouched.
class NewFile {
 public:
  explicit NewFile(std::filesystem::path path);
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  void append(const void* bytes, std::size_t count) noexcept { write_at(size_, bytes, count); }
  void write_at(std::int64_t offset, const void* bytes, std::size_t count) noexcept;
  // Bytes written before; zeros beyond the end and after a failure.
  void read_at(std::int64_t offset, void* bytes, std::size_t count) const noexcept;
  void resize(std::int64_t size) noexcept;

  std::int64_t size() const { return size_; }
  bool failed() const { return failure_ != 0; }
  void check() const;
  // Flushes all to the disk and gives the file its name. Nothing may be written afterwards.
  void commit();

 private:
  void open();
  void discard() noexcept;
  void fail(int reason) noexcept { failure_ = failure_ ? failure_ : reason; }

  std::filesystem::path path_, folder_, temporary_;
  int descriptor_ = -1;
  int failure_ = 0;  // of errno
  std::int64_t size_ = 0;
};

// Removes the temporaries of killed programs from a folder.
void sweep_temporaries(const std::filesystem::path& folder) noexcept;

// Removes the file if it is there; never throws.
void remove_quietly(const std::filesystem::path& path) noexcept;

}  // namespace chiaro
