#include "engine/io/trial.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <new>
#include <string>
#include <string_view>

#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr int kOutOfMemory = 2;
constexpr std::int64_t kGiB = std::int64_t{1} << 30;

void limit(int resource, std::int64_t value) {
  const rlimit limits{static_cast<rlim_t>(value), static_cast<rlim_t>(value + 1)};
  setrlimit(static_cast<__rlimit_resource_t>(resource), &limits);
}

void limit_resources(std::int64_t file_bytes) {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  limit(RLIMIT_CPU, 10 + file_bytes / 10'000'000);
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const std::int64_t used = pages * sysconf(_SC_PAGESIZE);
  // Address sanitizers reserve terabytes: no limit on addresses means anything there.
  if (pages > 0 && used < 1024 * kGiB) limit(RLIMIT_AS, used + 2 * file_bytes + kGiB);
}

// Never returns, and runs nothing that the parent has registered for its own end.
[[noreturn]] void run_child(int report, std::int64_t file_bytes, const std::function<void()>& work) {
  limit_resources(file_bytes);
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT}) std::signal(signal, SIG_DFL);
  std::string problem;
  try {
    work();
    _exit(0);
  } catch (const Error& error) {
    problem = error.what();
  } catch (const std::bad_alloc&) {
    _exit(kOutOfMemory);
  }
  std::string_view rest = problem;
  while (!rest.empty()) {
    const ssize_t count = ::write(report, rest.data(), rest.size());
    if (count <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  _exit(1);
}

// By whoever started this program: then a lack of it says nothing about the file.
bool memory_is_limited() {
  rlimit limits{};
  return getrlimit(RLIMIT_AS, &limits) == 0 && limits.rlim_cur != RLIM_INFINITY;
}

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> piece;
  for (;;) {
    const ssize_t count = ::read(descriptor, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
}

std::string what_happened(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) return "takes too long";
  if (WIFSIGNALED(status)) return fmt::format("ended in signal {}", WTERMSIG(status));
  return WEXITSTATUS(status) == kOutOfMemory ? "took more memory than a file of its size can need" : "failed";
}

}  // namespace

void try_in_child(const std::filesystem::path& file, const std::function<void()>& work) {
  std::error_code ignored;
  const auto file_bytes = static_cast<std::int64_t>(std::filesystem::file_size(file, ignored));
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return;
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    run_child(ends[1], file_bytes, work);
  }
  ::close(ends[1]);
  const std::string problem = child > 0 ? read_all(ends[0]) : "";
  ::close(ends[0]);
  if (child < 0) return;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 1 && !problem.empty()) throw Error(problem);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kOutOfMemory && memory_is_limited()) throw std::bad_alloc();
  if (WIFSIGNALED(status) && WTERMSIG(status) != SIGXCPU && memory_is_limited())
    throw Error("{}: reading it {} within the memory that this program may use; allow it more (ulimit -v)",
                file.string(), what_happened(status));
  throw Error("{}: is damaged: reading it {}; download it again", file.string(), what_happened(status));
}

}  // namespace chiaro
