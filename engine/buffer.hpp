// One owner of memory: move-only, not cleared. Of the host (64-byte aligned, 2 MiB and huge pages for large
// blocks) unless another kind is asked for; see base/memory.hpp for the kinds and for copies between them.
// Throws Error, which names the purpose and the size, when the memory is not to be had.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "kernels/base/memory.hpp"

namespace chiaro {

// Where the tensors of a context's ops lie.
inline MemoryKind compute_memory(const Context& context) {
  return context.device() == Device::Cpu ? MemoryKind::Host : MemoryKind::Device;
}

class Buffer {
 public:
  Buffer() = default;
  Buffer(std::int64_t bytes, const std::string& purpose, MemoryKind kind = MemoryKind::Host)
      : data_(allocate(kind, bytes, purpose), ReleaseMemory{kind}), bytes_(bytes) {}

  std::int64_t bytes() const { return bytes_; }
  MemoryKind kind() const { return data_.get_deleter().kind; }
  std::byte* data() const { return data_.get(); }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data_.get());
  }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  std::unique_ptr<std::byte, ReleaseMemory> data_;
  std::int64_t bytes_ = 0;
};

}  // namespace chiaro
