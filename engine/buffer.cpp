#include "engine/buffer.hpp"

#include <sys/mman.h>

#include <cstdlib>

#include "kernels/common/error.hpp"

namespace chiaro {

Buffer::Buffer(std::int64_t bytes, const std::string& purpose) : bytes_(bytes) {
  constexpr std::int64_t kHugePage = 2 << 20;
  require(bytes >= 0, "{}: {} bytes asked for", purpose, bytes);
  const std::int64_t alignment = bytes >= kHugePage ? kHugePage : 64;
  const std::int64_t rounded = (std::max<std::int64_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  data_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, rounded)));
  if (!data_)
    throw Error("not enough memory for {}: {:.1f} MiB asked for", purpose,
                static_cast<double>(bytes) / (1 << 20));
  if (alignment == kHugePage)
    madvise(data_.get(), rounded, MADV_HUGEPAGE);  // advice only: failure is harmless
}

void Buffer::Free::operator()(std::byte* p) const {
  std::free(p);
}

}  // namespace chiaro
