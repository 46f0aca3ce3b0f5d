#include "engine/io/input_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernels/base/error.hpp"

namespace chiaro {

InputFile::InputFile(const std::filesystem::path& path) : name_(path.string()) {
  // Opening a pipe would wait for its writer without O_NONBLOCK, which means nothing for files.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0 && errno == ENOENT) throw Error("{}: no such file", name_);
  if (descriptor_ < 0) throw Error("{}: cannot be read: {}", name_, std::strerror(errno));
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    if (S_ISDIR(status.st_mode)) throw Error("{}: is a folder, expected a file", name_);
    throw Error("{}: is not a regular file", name_);
  }
  bytes_ = status.st_size;
}

InputFile::~InputFile() {
  ::close(descriptor_);
}

int InputFile::duplicate() const {
  return ::fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);
}

void InputFile::check_range(std::int64_t offset, std::int64_t bytes, const char* what) const {
  if (offset >= 0 && bytes >= 0 && bytes <= bytes_ && offset <= bytes_ - bytes) return;
  throw Error(
      "{}: ends after {} bytes, but {} would need {} bytes from byte {} on: the file is cut short or "
      "damaged; download it again",
      name_, bytes_, what, bytes, offset);
}

void InputFile::read(std::int64_t offset, std::span<std::byte> out, const char* what) const {
  check_range(offset, std::ssize(out), what);
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t count =
        ::pread(descriptor_, out.data() + done, out.size() - done, offset + static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error("{}: cannot be read: {}", name_, std::strerror(errno));
    if (count == 0) throw Error("{}: became shorter while it was read", name_);
    done += static_cast<std::size_t>(count);
  }
}

}  // namespace chiaro
