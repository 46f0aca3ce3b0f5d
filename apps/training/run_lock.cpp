#include "apps/training/run_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "engine/file_util.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMost = 400;  // bytes of the text

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "?";
}

// "process 12 on host a", as its owner wrote it.
std::string owner(int descriptor) {
  std::array<char, kMost> text{};
  const ssize_t count = ::pread(descriptor, text.data(), text.size(), 0);
  std::string found(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  found = found.substr(0, found.find('\n'));
  return found.empty() ? "another program" : found;
}

// Whether the file is still the one of that name: its owner removes it before it unlocks it.
bool is_current(int descriptor, const fs::path& file) {
  struct stat open {
  }, named{};
  return ::fstat(descriptor, &open) == 0 && ::lstat(file.c_str(), &named) == 0 &&
         open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

}  // namespace

RunLock::RunLock(const fs::path& folder) : file_(folder / "lock") {
  make_folders(folder);
  try {
    for (;;) {
      descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
      if (descriptor_ < 0) throw Error(write_failure(file_, errno));
      if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR) continue;
        if (errno == EWOULDBLOCK)
          throw Error("{}: in use by {}; wait for it, or stop it", folder.string(), owner(descriptor_));
        say(stderr, "note: {}: cannot be locked ({}); let no second program train in this folder\n",
            file_.string(), std::strerror(errno));
      }
      if (is_current(descriptor_, file_)) break;
      ::close(descriptor_);
    }
  } catch (...) {
    if (descriptor_ >= 0) ::close(descriptor_);
    remove_folders();
    throw;
  }
  // For people: where there is no space for it, the lock holds all the same.
  const std::string text = fmt::format("process {} on host {}\n", ::getpid(), host_name());
  if (::ftruncate(descriptor_, 0) == 0) [[maybe_unused]]
    const auto written = ::pwrite(descriptor_, text.data(), text.size(), 0);
}

RunLock::~RunLock() {
  ::unlink(file_.c_str());
  ::close(descriptor_);
  remove_folders();
}

void RunLock::make_folders(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> missing;
  for (fs::path path = fs::absolute(folder / "").lexically_normal().parent_path(); !fs::exists(path, error);
       path = path.parent_path())
    missing.insert(missing.begin(), path);
  fs::create_directories(folder, error);
  if (error) throw Error("{}: the folder cannot be made: {}", folder.string(), error.message());
  made_ = missing;
}

void RunLock::remove_folders() noexcept {
  for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) ::rmdir(folder->c_str());
}

}  // namespace chiaro
