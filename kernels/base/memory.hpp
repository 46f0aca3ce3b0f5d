// Memory of the host and of the device, and moving bytes between them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/base/context.hpp"

namespace chiaro {

enum class MemoryKind {
  Host,    // 64-byte aligned (2 MiB and huge pages for large blocks)
  Pinned,  // of the host, page-locked: copies between it and the device run beside everything else
  Device,  // of the GPU, 256-byte aligned; the host must not touch it
};

// Not cleared. 0 bytes give a valid pointer. Throws Error, which names the purpose and the size, when the
// memory is not to be had, or when the kind needs a CUDA device and this build or machine has none.
std::byte* allocate(MemoryKind kind, std::int64_t bytes, const std::string& purpose);
// Memory of allocate() of the same kind, or nullptr. Device memory must no longer be in use.
void release(MemoryKind kind, std::byte* memory) noexcept;

struct ReleaseMemory {  // for std::unique_ptr
  MemoryKind kind = MemoryKind::Host;
  void operator()(std::byte* memory) const { release(kind, memory); }
};

// On the CPU these are done when they return. With a CUDA context they are queued in its stream, behind what
// was queued before, and either pointer may be of any kind; memory of the host must stay untouched until
// synchronize(), and the call itself waits where that memory is not Pinned.
void copy_async(Context& context, void* to, const void* from, std::int64_t bytes);
void fill_async(Context& context, void* to, int byte_value, std::int64_t bytes);
// Memory of the context's GPU that nobody uses now, bytes. Throws Error on the CPU.
std::int64_t free_device_memory(const Context& context);
// Waits until everything queued so far is done. Errors of queued work surface here.
void synchronize(Context& context);

}  // namespace chiaro
