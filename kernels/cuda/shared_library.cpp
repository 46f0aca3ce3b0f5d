#include "kernels/cuda/shared_library.hpp"

#include <dlfcn.h>

#include "kernels/base/error.hpp"

namespace chiaro::cuda {

SharedLibrary::SharedLibrary(const std::string& title, std::span<const std::string> names) : title_(title) {
  std::string reason;
  for (const auto& name : names) {
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_) return;
    const char* text = dlerror();
    reason += (reason.empty() ? "" : "; ") + std::string(text ? text : name);
  }
  throw Error("{} cannot be opened: {}", title_, reason);
}

void* SharedLibrary::symbol(const char* name) const {
  void* found = dlsym(handle_, name);
  require(found != nullptr, "{} has no function {}: a newer version is needed", title_, name);
  return found;
}

}  // namespace chiaro::cuda
