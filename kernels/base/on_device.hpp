// How an op with one implementation per device calls the right one:
//
//   on_device(
//       context, [&] { cpu::forward(x, y); }, [&](auto stream) { cuda::forward(stream, x, y); });
//
// The second function must take `auto`: builds without the CUDA backend then compile no call of it and need
// no symbol behind it. It may ignore the stream, as functions of sizes do: then it works for a GPU that is
// only described, too.
#pragma once
#include "kernels/base/build_config.hpp"
#include "kernels/base/context.hpp"
#include "kernels/base/error.hpp"
#include "kernels/cuda/device.hpp"

namespace chiaro {

// The stream of a CUDA context, asked for when it is passed on. Throws Error where nothing can run.
class StreamOf {
 public:
  explicit StreamOf(const Context& context) : context_(context) {}
  operator CudaStream() const {
    if constexpr (kHaveCuda) return cuda::stream_of(context_);
    return nullptr;
  }

 private:
  const Context& context_;
};

// Returns what the function returns.
template <class Cpu, class Cuda>
auto on_device(const Context& context, Cpu&& cpu, [[maybe_unused]] Cuda&& cuda) {
  if (context.device() == Device::Cpu) return cpu();
  if constexpr (kHaveCuda)
    return cuda(StreamOf(context));
  else
    throw Error("device cuda: this build has no CUDA backend");
}

// For ops that have no CUDA kernels because only the CPU's way of working needs them.
inline void require_cpu(const Context& context, const char* op) {
  require(context.device() == Device::Cpu, "{}: runs on the CPU only", op);
}

}  // namespace chiaro
