#include "apps/common/program.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "apps/common/environment.hpp"
#include "kernels/base/build_config.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {

void add_common_options(CLI::App& app, CommonOptions& options, bool with_precision) {
  app.add_option("--device", options.device, "auto, cpu or cuda")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  if (with_precision)
    app.add_option("--precision", options.precision, "auto (the fastest), fp32, tf32 (CUDA only) or bf16")
        ->check(CLI::IsMember({"auto", "fp32", "tf32", "bf16"}))
        ->capture_default_str();
  app.add_option("--threads", options.threads, "CPU threads; 0 = all cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.set_version_flag("--version", std::string("chiaro ") + kVersion);
}

DType choose_precision(Context& context, const std::string& precision) {
  if (precision == "fp32") return DType::F32;
  if (precision == "bf16") {
    if (!context.has_fast_bf16())
      say(stderr,
          "note: this CPU has no instructions for bf16: it is computed in fp32 with conversions, which is "
          "slower than precision fp32\n");
    return DType::BF16;
  }
  if (precision == "tf32") {
    if (context.device() != Device::Cuda)
      throw Error("precision tf32 exists on CUDA devices only; use fp32 or bf16 on the CPU");
    context.allow_tf32(true);
    return DType::F32;
  }
  return context.has_fast_bf16() ? DType::BF16 : DType::F32;
}

std::string precision_name(const Context& context, DType dtype) {
  return dtype == DType::F32 && context.tf32() ? "tf32" : name_of(dtype);
}

namespace {

// The words of a command line from the last to the first, as CLI11 takes them. "-o=x" is "-o x"; "[x]", which CLI11
// takes for a list, is a file.
std::vector<std::string> words_of(int argc, char** argv) {
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool assigns = word.size() > 2 && word[0] == '-' && word[1] != '-' && word[2] == '=';
    if (assigns) words.push_back(word.substr(0, 2));
    const bool list = word.starts_with('[') && word.ends_with(']');
    words.push_back(assigns ? word.substr(3) : list ? "./" + word : word);
  }
  std::ranges::reverse(words);
  return words;
}

// A program started without a standard stream would give its number to the next file that it opens, and print into it.
void keep_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0 && errno == EBADF) {
      const int null = ::open("/dev/null", O_RDWR);
      if (null >= 0 && null != stream) {
        ::dup2(null, stream);
        ::close(null);
      }
    }
}

std::string out_of_memory_line;

// Libraries below us, oneDNN among them, die of allocations that fail. Where there is hardly any memory left to be had,
// that is why; what else goes wrong ends as always.
void explain_death(int signal) {
  constexpr std::size_t kHardlyAny = std::size_t{64} << 20;
  void* memory = ::mmap(nullptr, kHardlyAny, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    [[maybe_unused]] const ssize_t said =
        ::write(STDERR_FILENO, out_of_memory_line.data(), out_of_memory_line.size());
    ::_exit(1);
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void explain_lack_of_memory(const std::string& program) {
#ifndef __SANITIZE_ADDRESS__
  out_of_memory_line = program + ": out of memory\n";
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT}) std::signal(signal, explain_death);
#endif
}

}  // namespace

int run_program(CLI::App& app, int argc, char** argv, const std::function<int()>& body) {
  keep_standard_streams();
  // What they would kill a program for, it hears as the failure of a write.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  limit_spinning(argv);
  read_settings();
  const std::string name = app.get_name();
  explain_lack_of_memory(name);
  app.failure_message([&](const CLI::App*, const CLI::Error& error) {
    return fmt::format("{}: {}; see --help\n", name, escaped(error.what()));
  });
  try {
    app.parse(words_of(argc, argv));
  } catch (const CLI::ParseError& e) {
    const int status = app.exit(e);
    return status == 0 ? 0 : 2;
  }
  try {
    return body();
  } catch (const std::bad_alloc&) {
    say(stderr, "{}: out of memory\n", name);
  } catch (const std::exception& e) {
    say(stderr, "{}: {}\n", name, std::string(e.what()));
  }
  return 1;
}

void check_output() {
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return;
  if (errno == EPIPE) return;  // who reads has enough
  throw Error("standard output: cannot be written: {}", std::strerror(errno));
}

std::int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace chiaro
