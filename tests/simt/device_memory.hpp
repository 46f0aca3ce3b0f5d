// Memory of the emulated device: host memory that the host may not touch.
//
// One region of addresses. It is closed to reading and writing while nothing runs on the device, so that host
// code which follows a device pointer stops there and then, with a line that says so. AddressSanitizer sees
// accesses beyond an allocation. Any thread may allocate; only one may open the memory.
#pragma once
#include <cstddef>
#include <cstdint>

namespace simt {

// 256-byte aligned and filled with 0xFF bytes (NaN, -1). nullptr when the region is full.
std::byte* allocate_device_memory(std::int64_t bytes);
void release_device_memory(std::byte* memory);
bool is_device_memory(const void* pointer);
std::int64_t device_memory_in_use();

// Kernels and copies run while one of these exists; they nest.
class OpenDeviceMemory {
 public:
  OpenDeviceMemory();
  ~OpenDeviceMemory();
  OpenDeviceMemory(const OpenDeviceMemory&) = delete;
  OpenDeviceMemory& operator=(const OpenDeviceMemory&) = delete;
};

// Explains the fault when the host touches closed device memory, then leaves it to the handler of before.
void explain_device_faults();

}  // namespace simt
