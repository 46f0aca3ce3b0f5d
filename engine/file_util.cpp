#include "engine/file_util.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

#include "kernels/base/error.hpp"

namespace chiaro {
namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) throw Error("{}: is a folder, expected a file", path.string());
  if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored))
    throw Error("{}: is not a regular file", path.string());
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error("{}: cannot be read: {}", path.string(), std::strerror(errno));
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) throw Error("{}: reading failed: {}", path.string(), std::strerror(errno));
  return text;
}

void write_file(const fs::path& path, const std::function<void(std::ostream&)>& write) {
  const fs::path temporary = temporary_beside(path);
  errno = 0;
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  write(out);
  out.close();
  if (!out) {
    const int reason = errno;
    remove_quietly(temporary);
    throw Error("{}: cannot be written: {}", path.string(), std::strerror(reason));
  }
  commit_file(temporary, path);
}

void write_text(const fs::path& path, std::string_view text) {
  write_file(path,
             [&](std::ostream& out) { out.write(text.data(), static_cast<std::streamsize>(text.size())); });
}

fs::path temporary_beside(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    throw Error("{}: is a folder, expected the name of a file", path.string());
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, ignored)) {
    throw Error("{}: cannot be written: folder '{}' does not exist", path.string(), folder.string());
  }
  fs::path temporary = path;
  temporary += fmt::format(".partial-{}-{}", ::getpid(), counter++);
  return temporary;
}

void commit_file(const fs::path& temporary, const fs::path& path) {
  // Without the flush a power cut after the rename could leave an empty file under the final name.
  const int file = ::open(temporary.c_str(), O_RDONLY | O_CLOEXEC);
  const bool flushed = file >= 0 && ::fsync(file) == 0;
  int reason = errno;
  if (file >= 0) ::close(file);
  if (flushed) {
    if (std::rename(temporary.c_str(), path.c_str()) == 0) return;
    reason = errno;
  }
  remove_quietly(temporary);
  throw Error("{}: cannot be written: {}", path.string(), std::strerror(reason));
}

void remove_quietly(const fs::path& path) noexcept {
  std::error_code ignored;
  fs::remove(path, ignored);
}

}  // namespace chiaro
