// One owner of host memory: move-only, 64-byte aligned (2 MiB and huge pages for large blocks), not cleared.
// Throws Error, which names the purpose and the size, when the memory is not to be had.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace chiaro {

class Buffer {
 public:
  Buffer() = default;
  Buffer(std::int64_t bytes, const std::string& purpose);

  std::int64_t bytes() const { return bytes_; }
  std::byte* data() const { return data_.get(); }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data_.get());
  }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::int64_t bytes_ = 0;
};

}  // namespace chiaro
