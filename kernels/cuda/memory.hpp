// The CUDA half of base/memory.hpp. Free of CUDA headers.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/base/context.hpp"

namespace chiaro::cuda {

// Memory of the GPU, or page-locked memory of the host. nullptr when there is not enough.
std::byte* allocate(bool on_device, std::int64_t bytes);
void release(bool on_device, std::byte* memory) noexcept;

void copy_async(Context& context, void* to, const void* from, std::int64_t bytes);
void fill_async(Context& context, void* to, int byte_value, std::int64_t bytes);
void synchronize(Context& context);

std::int64_t free_memory(const Context& context);

}  // namespace chiaro::cuda
