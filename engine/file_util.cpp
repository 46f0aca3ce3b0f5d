#include "engine/file_util.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>
#include <streambuf>
#include <system_error>
#include <utility>
#include <vector>

#include "kernels/base/error.hpp"

namespace chiaro {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = ".chiaro-";
constexpr std::size_t kDigits = 16;
constexpr int kAttempts = 100;

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

std::string random_name() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number))
    throw Error("no random numbers from the system: {}", std::strerror(errno));
  return fmt::format("{}{:016x}", kPrefix, number);
}

bool is_temporary_name(std::string_view name) {
  return name.size() == kPrefix.size() + kDigits && name.starts_with(kPrefix) &&
         name.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string_view::npos;
}

bool locked(int descriptor) {
  return ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
}

// Whether the open file still has a name: a sweep may have been faster than its lock.
bool has_name(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && status.st_nlink > 0;
}

// Calls again what a signal has interrupted.
template <class Call>
auto uninterrupted(Call&& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

void sweep_once(const fs::path& folder) {
  static std::mutex mutex;
  static std::set<fs::path> swept;
  const std::lock_guard lock(mutex);
  std::error_code ignored;
  if (swept.insert(fs::absolute(folder, ignored)).second) sweep_temporaries(folder);
}

// A stream into a NewFile.
class NewFileBuffer : public std::streambuf {
 public:
  explicit NewFileBuffer(NewFile& file) : file_(file), buffer_(kBytes) {
    setp(buffer_.data(), buffer_.data() + buffer_.size());
  }

 protected:
  int overflow(int next) override {
    if (sync() != 0) return traits_type::eof();
    if (next != traits_type::eof()) sputc(static_cast<char>(next));
    return traits_type::not_eof(next);
  }
  int sync() override {
    file_.append(pbase(), static_cast<std::size_t>(pptr() - pbase()));
    setp(buffer_.data(), buffer_.data() + buffer_.size());
    return file_.failed() ? -1 : 0;
  }

 private:
  static constexpr std::size_t kBytes = 1 << 16;
  NewFile& file_;
  std::vector<char> buffer_;
};

}  // namespace

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
  NewFile file(path);
  NewFileBuffer buffer(file);
  std::ostream out(&buffer);
  write(out);
  out.flush();
  file.commit();
}

void write_text(const fs::path& path, std::string_view text) {
  NewFile file(path);
  file.append(text.data(), text.size());
  file.commit();
}

void require_place(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (fs::is_directory(status)) throw Error("{}: is a folder, expected the name of a file", path.string());
  if (fs::exists(status) && !fs::is_regular_file(status))
    throw Error("{}: is not a regular file and is not replaced; choose another name", path.string());
  const fs::path folder = folder_of(path);
  if (!fs::is_directory(folder, ignored))
    throw Error("{}: cannot be written: folder '{}' does not exist", path.string(), folder.string());
  const long longest = ::pathconf(folder.c_str(), _PC_NAME_MAX);
  if (longest > 0 && path.filename().native().size() > static_cast<std::size_t>(longest))
    throw Error(write_failure(path, ENAMETOOLONG));
  if (::access(folder.c_str(), W_OK | X_OK) != 0) throw Error(write_failure(path, errno));
}

std::string write_failure(const fs::path& path, int reason) {
  const char* advice = "check the disk";
  if (reason == ENOSPC) advice = "check the free space";
  if (reason == EDQUOT) advice = "check the quota";
  if (reason == EFBIG) advice = "check the limit on the size of files";
  if (reason == EACCES || reason == EPERM || reason == EROFS) advice = "check the rights on its folder";
  if (reason == ENAMETOOLONG) advice = "choose a shorter name";
  if (reason == EMFILE || reason == ENFILE) advice = "check the limit on open files";
  return fmt::format("{}: cannot be written: {}; {}", path.string(), std::strerror(reason), advice);
}

NewFile::NewFile(fs::path path) : path_(std::move(path)), folder_(folder_of(path_)) {
  require_place(path_);
  sweep_once(folder_);
  open();
}

NewFile::~NewFile() {
  discard();
}

void NewFile::open() {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    temporary_ = folder_ / random_name();
    descriptor_ = uninterrupted(
        [&] { return ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666); });
    if (descriptor_ < 0 && errno == EEXIST) continue;
    if (descriptor_ < 0) {
      const int reason = errno;
      temporary_.clear();
      throw Error(write_failure(path_, reason));
    }
    // A file system without locks has no sweeps either.
    if ((locked(descriptor_) || errno != EWOULDBLOCK) && has_name(descriptor_)) return;
    ::close(std::exchange(descriptor_, -1));  // a sweep has it
  }
  temporary_.clear();
  throw Error(write_failure(path_, EEXIST));
}

void NewFile::discard() noexcept {
  // The name goes before the lock does.
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void NewFile::write_at(std::int64_t offset, const void* bytes, std::size_t count) noexcept {
  if (descriptor_ < 0) fail(EBADF);
  const auto* next = static_cast<const char*>(bytes);
  while (count > 0 && !failed()) {
    const std::size_t piece = std::min<std::size_t>(count, 1 << 30);
    const ssize_t written = uninterrupted([&] { return ::pwrite(descriptor_, next, piece, offset); });
    if (written <= 0) {
      fail(written < 0 ? errno : ENOSPC);
      break;
    }
    next += written;
    offset += written;
    count -= static_cast<std::size_t>(written);
    size_ = std::max(size_, offset);
  }
}

void NewFile::read_at(std::int64_t offset, void* bytes, std::size_t count) const noexcept {
  auto* next = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t got = uninterrupted([&] { return ::pread(descriptor_, next, count, offset); });
    if (got <= 0) {
      std::memset(next, 0, count);
      return;
    }
    next += got;
    offset += got;
    count -= static_cast<std::size_t>(got);
  }
}

void NewFile::resize(std::int64_t size) noexcept {
  if (failed() || size == size_) return;
  if (uninterrupted([&] { return ::ftruncate(descriptor_, size); }) != 0)
    fail(errno);
  else
    size_ = size;
}

void NewFile::check() const {
  if (failed()) throw Error(write_failure(path_, failure_));
}

void NewFile::commit() {
  // Without the flush a power cut after the rename could leave an empty file under the final name.
  if (!failed() && uninterrupted([&] { return ::fsync(descriptor_); }) != 0) fail(errno);
  // A second descriptor keeps the lock: file systems over a network report a failed write when one is closed, and
  // the temporary must not be free for a sweep before it has its name.
  const int keeper = ::fcntl(descriptor_, F_DUPFD_CLOEXEC, 3);
  if (keeper < 0) fail(errno);
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) fail(errno);
  descriptor_ = keeper;
  if (!failed() && std::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
  if (failed()) {
    discard();
    check();
  }
  temporary_.clear();
  discard();
  const int folder =
      uninterrupted([&] { return ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (folder < 0) return;  // a folder that may be written, not read
  const bool flushed = uninterrupted([&] { return ::fsync(folder); }) == 0 || errno == EINVAL;
  const int reason = errno;
  ::close(folder);
  if (!flushed)
    throw Error("{}: is complete, but its folder cannot be brought to the disk: {}; check the disk",
                path_.string(), std::strerror(reason));
}

void sweep_temporaries(const fs::path& folder) noexcept {
  try {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
         entry.increment(error)) {
      if (!is_temporary_name(entry->path().filename().native())) continue;
      const int file = ::open(entry->path().c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
      if (file < 0) continue;
      struct stat status {};
      if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode) && locked(file))
        ::unlink(entry->path().c_str());
      ::close(file);
    }
  } catch (const std::exception&) {  // no memory: the next program may have some
  }
}

void remove_quietly(const fs::path& path) noexcept {
  std::error_code ignored;
  fs::remove(path, ignored);
}

}  // namespace chiaro
