#include "kernels/common/captured_work.hpp"

#include "kernels/common/build_config.hpp"
#include "kernels/common/error.hpp"

namespace chiaro {

CapturedWork CapturedWork::record(Context& context, const std::function<void()>& work) {
  require(context.device() == Device::Cuda, "work is recorded for GPUs only");
  if constexpr (kHaveCuda)
    return CapturedWork(cuda::record(context, work));
  else
    throw Error("device cuda: this build has no CUDA backend");
}

}  // namespace chiaro
