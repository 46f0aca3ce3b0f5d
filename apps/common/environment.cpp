#include "apps/common/environment.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <system_error>

#include "kernels/base/settings.hpp"

namespace chiaro {

namespace {

// "" when it is not set.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

void read_settings() {
  settings() = {.log = variable("CHIARO_LOG"),
                .implementations = variable("CHIARO_IMPL"),
                .cudnn_tune = variable("CHIARO_CUDNN_TUNE"),
                .cuda_graph = variable("CHIARO_CUDA_GRAPH") != "0",
                .synchronous = std::getenv("CHIARO_SYNC") != nullptr};
}

std::filesystem::path cache_folder() {
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty())
    return std::filesystem::path(cache) / "chiaro";
  if (const std::string home = variable("HOME"); !home.empty())
    return std::filesystem::path(home) / ".cache/chiaro";
  return std::filesystem::temp_directory_path() / "chiaro";
}

void limit_spinning(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  setenv("GOMP_SPINCOUNT", "1000", 0);
  // By its own name, which is what lists of processes show; by the link where that name is gone.
  std::error_code unknown;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  if (!unknown) execv(program.c_str(), argv);
  execv("/proc/self/exe", argv);
}

}  // namespace chiaro
