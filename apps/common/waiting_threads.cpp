#include "apps/common/waiting_threads.hpp"

#include <unistd.h>

#include <cstdlib>

namespace chiaro {

void limit_spinning(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  setenv("GOMP_SPINCOUNT", "1000", 0);
  execv("/proc/self/exe", argv);
}

}  // namespace chiaro
