#include "apps/common/program.hpp"
#include "kernels/base/build_config.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

Context make_context(const CommonOptions& options) {
  if (options.device == "cpu") return Context(options.threads);
  const std::string reason = device_available(Device::Cuda).reason;
  if (reason.empty()) return Context(Device::Cuda, options.threads);
  if (options.device == "cuda") throw Error("--device cuda: {}; use --device cpu", reason);
  Context context(options.threads);
  if constexpr (kHaveCuda) context.set_remark("no CUDA: " + reason);
  return context;
}

}  // namespace chiaro
