#include "kernels/cuda/memory.hpp"

#include "kernels/cuda/check.hpp"
#include "kernels/cuda/device_context.hpp"

namespace chiaro::cuda {

std::byte* allocate(bool on_device, std::int64_t bytes) {
  void* memory = nullptr;
  const auto size = static_cast<std::size_t>(bytes);
  const cudaError_t status = on_device ? cudaMalloc(&memory, size) : cudaMallocHost(&memory, size);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the failure is reported by the caller and must not surface again later
    return nullptr;
  }
  check(status, on_device ? "allocate GPU memory" : "allocate page-locked memory");
  return static_cast<std::byte*>(memory);
}

// Failures are ignored: at the end of the process the driver may be gone already.
void release(bool on_device, std::byte* memory) noexcept {
  if (on_device)
    cudaFree(memory);
  else
    cudaFreeHost(memory);
}

void copy_async(Context& context, void* to, const void* from, std::int64_t bytes) {
  check(
      cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDefault, context.cuda().stream()),
      "copy memory");
}

void fill_async(Context& context, void* to, int byte_value, std::int64_t bytes) {
  check(cudaMemsetAsync(to, byte_value, static_cast<std::size_t>(bytes), context.cuda().stream()),
        "fill memory");
}

std::int64_t free_memory(const Context& context) {
  context.cuda().stream();  // an Error for a GPU that is only described
  std::size_t available = 0, total = 0;
  check(cudaMemGetInfo(&available, &total), "ask for the GPU's free memory");
  return static_cast<std::int64_t>(available);
}

void synchronize(Context& context) {
  check(cudaStreamSynchronize(context.cuda().stream()), "finish the queued work");
}

}  // namespace chiaro::cuda
