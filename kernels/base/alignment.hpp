// Where blocks of memory and parts of workspaces begin, so that any library can use them.
#pragma once
#include <cstdint>

#include "kernels/base/context.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

// Bytes; as allocate() aligns what it gives: a cache line on the CPU, on a GPU what CUDA's own memory has.
constexpr std::int64_t kHostAlignment = 64, kDeviceAlignment = 256;

inline std::int64_t alignment_of(const Context& context) {
  return context.device() == Device::Cpu ? kHostAlignment : kDeviceAlignment;
}

constexpr std::int64_t align_up(std::int64_t bytes, std::int64_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

inline void require_device_alignment(const void* workspace) {
  require(reinterpret_cast<std::uintptr_t>(workspace) % kDeviceAlignment == 0,
          "a workspace on the GPU does not begin at a multiple of {} bytes", kDeviceAlignment);
}

}  // namespace chiaro
