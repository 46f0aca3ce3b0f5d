#include "kernels/base/memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels/base/build_config.hpp"
#include "kernels/base/error.hpp"
#include "kernels/cuda/memory.hpp"

namespace chiaro {

namespace {

std::byte* allocate_host(std::int64_t bytes) {
  constexpr std::int64_t kHugePage = 2 << 20;
  const std::int64_t alignment = bytes >= kHugePage ? kHugePage : 64;
  const std::int64_t rounded = (std::max<std::int64_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(alignment, rounded));
  if (memory && alignment == kHugePage)
    madvise(memory, rounded, MADV_HUGEPAGE);  // advice only: failure is harmless
  return memory;
}

}  // namespace

std::byte* allocate(MemoryKind kind, std::int64_t bytes, const std::string& purpose) {
  require(bytes >= 0, "{}: {} bytes asked for", purpose, bytes);
  std::byte* memory = nullptr;
  if (kind == MemoryKind::Host) {
    memory = allocate_host(bytes);
  } else if constexpr (kHaveCuda) {
    const DeviceStatus status = device_available(Device::Cuda);
    require(status.available, "no device memory for {}: {}", purpose, status.reason);
    memory = cuda::allocate(kind == MemoryKind::Device, std::max<std::int64_t>(bytes, 1));
  } else {
    throw Error("no device memory for {}: this build has no CUDA backend", purpose);
  }
  if (!memory)
    throw Error("not enough {}memory for {}: {:.1f} MiB asked for", kind == MemoryKind::Device ? "GPU " : "",
                purpose, static_cast<double>(bytes) / (1 << 20));
  return memory;
}

void release(MemoryKind kind, std::byte* memory) noexcept {
  if (!memory) return;
  if (kind == MemoryKind::Host) return std::free(memory);
  if constexpr (kHaveCuda) cuda::release(kind == MemoryKind::Device, memory);
}

void copy_async(Context& context, void* to, const void* from, std::int64_t bytes) {
  if (bytes == 0) return;
  if constexpr (kHaveCuda)
    if (context.device() == Device::Cuda) return cuda::copy_async(context, to, from, bytes);
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

void fill_async(Context& context, void* to, int byte_value, std::int64_t bytes) {
  if (bytes == 0) return;
  if constexpr (kHaveCuda)
    if (context.device() == Device::Cuda) return cuda::fill_async(context, to, byte_value, bytes);
  std::memset(to, byte_value, static_cast<std::size_t>(bytes));
}

std::int64_t free_device_memory(const Context& context) {
  require(context.device() == Device::Cuda, "the memory of a GPU was asked of a context of the CPU");
  if constexpr (kHaveCuda) return cuda::free_memory(context);
  return 0;
}

void synchronize(Context& context) {
  if constexpr (kHaveCuda)
    if (context.device() == Device::Cuda) cuda::synchronize(context);
}

}  // namespace chiaro
