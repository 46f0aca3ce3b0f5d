// A library for LD_PRELOAD that makes calls fail which bring files to the disk: opening for writing, write, fsync, rename,
// ftruncate, close after writing, mkdir, link. They are counted from 1 through the whole program; standard streams and
// devices are not. The environment says which fail and how:
//   FAIL_CALL    the number of the call that fails; 0 or absent: none
//   FAIL_REST    set: so do all after it, as on a full disk
//   FAIL_ERRNO   the value of errno; 0: a write takes half of its bytes, other calls are as always
//   FAIL_COUNT   a file that gets the number of calls when the program ends
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<long> calls{0};
std::array<std::atomic<bool>, 4096> written{};  // descriptors that were opened for writing

long number(const char* name) {
  const char* text = std::getenv(name);
  return text ? std::atol(text) : 0;
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

enum class Answer { Real, Fail, Half };

// Counts a call.
Answer answer() {
  const long call = ++calls, chosen = number("FAIL_CALL");
  if (chosen == 0 || call < chosen || (call > chosen && !std::getenv("FAIL_REST"))) return Answer::Real;
  const long failure = number("FAIL_ERRNO");
  if (failure == 0) return Answer::Half;
  errno = static_cast<int>(failure);
  return Answer::Fail;
}

bool is_written(int file) {
  return file > 2 && file < static_cast<int>(written.size()) && written[static_cast<std::size_t>(file)];
}

template <class Function>
int open_file(Function open, const char* path, int flags) {
  const bool writes = (flags & O_ACCMODE) != O_RDONLY && std::strncmp(path, "/dev/", 5) != 0 &&
                      std::strncmp(path, "/proc/", 6) != 0;
  if (writes && answer() == Answer::Fail) return -1;
  const int file = open();
  if (file > 2 && file < static_cast<int>(written.size())) written[static_cast<std::size_t>(file)] = writes;
  return file;
}

mode_t mode_of(int flags, va_list list) {
  return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

// The number of bytes to write; -1: fail.
ssize_t granted(int file, std::size_t count) {
  if (!is_written(file)) return static_cast<ssize_t>(count);
  const Answer found = answer();
  if (found == Answer::Fail) return -1;
  return static_cast<ssize_t>(found == Answer::Half && count > 1 ? count / 2 : count);
}

struct Report {
  ~Report() {
    const char* path = std::getenv("FAIL_COUNT");
    if (!path) return;
    const long count = calls;
    if (std::FILE* file = std::fopen(path, "w")) {
      std::fprintf(file, "%ld\n", count);
      std::fclose(file);
    }
  }
} report;

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return open_file([&] { return real<int(const char*, int, ...)>("open")(path, flags, mode); }, path, flags);
}

int open64(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = mode_of(flags, list);
  va_end(list);
  return open_file([&] { return real<int(const char*, int, ...)>("open64")(path, flags, mode); }, path,
                   flags);
}

ssize_t write(int file, const void* bytes, std::size_t count) {
  const ssize_t most = granted(file, count);
  return most < 0 ? -1
                  : real<ssize_t(int, const void*, std::size_t)>("write")(file, bytes, std::size_t(most));
}

ssize_t writev(int file, const iovec* parts, int count) {
  return granted(file, 0) < 0 ? -1 : real<ssize_t(int, const iovec*, int)>("writev")(file, parts, count);
}

ssize_t pwrite(int file, const void* bytes, std::size_t count, off_t offset) {
  const ssize_t most = granted(file, count);
  return most < 0 ? -1
                  : real<ssize_t(int, const void*, std::size_t, off_t)>("pwrite")(file, bytes,
                                                                                  std::size_t(most), offset);
}

ssize_t pwrite64(int file, const void* bytes, std::size_t count, off_t offset) {
  return pwrite(file, bytes, count, offset);
}

int fsync(int file) {
  return answer() == Answer::Fail ? -1 : real<int(int)>("fsync")(file);
}

int fdatasync(int file) {
  return answer() == Answer::Fail ? -1 : real<int(int)>("fdatasync")(file);
}

int ftruncate(int file, off_t size) noexcept {
  return answer() == Answer::Fail ? -1 : real<int(int, off_t)>("ftruncate")(file, size);
}

int ftruncate64(int file, off_t size) noexcept {
  return ftruncate(file, size);
}

// The file is closed in any case, as the system does it.
int close(int file) {
  const bool counted = is_written(file);
  if (counted) written[static_cast<std::size_t>(file)] = false;
  const int result = real<int(int)>("close")(file);
  return counted && answer() == Answer::Fail ? -1 : result;
}

int rename(const char* from, const char* to) noexcept {
  return answer() == Answer::Fail ? -1 : real<int(const char*, const char*)>("rename")(from, to);
}

int mkdir(const char* path, mode_t mode) noexcept {
  return answer() == Answer::Fail ? -1 : real<int(const char*, mode_t)>("mkdir")(path, mode);
}

int link(const char* from, const char* to) noexcept {
  return answer() == Answer::Fail ? -1 : real<int(const char*, const char*)>("link")(from, to);
}

}  // extern "C"
