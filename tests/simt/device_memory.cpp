#include "tests/simt/device_memory.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace simt {

namespace {

constexpr std::size_t kRegion = std::size_t{8} << 30;  // of addresses; pages come when they are written
constexpr std::size_t kAlignment = 256;
constexpr std::size_t kGuard = kAlignment;  // behind every allocation
constexpr std::size_t kPage = 4096;

constexpr std::size_t round_up(std::size_t bytes, std::size_t to) {
  return (bytes + to - 1) / to * to;
}

void forbid([[maybe_unused]] const std::byte* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  __asan_poison_memory_region(memory, bytes);
#endif
}
void permit([[maybe_unused]] const std::byte* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(memory, bytes);
#endif
}

class Region {
 public:
  Region() {
    void* memory = mmap(nullptr, kRegion, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    base_ = static_cast<std::byte*>(memory);
  }

  bool holds(const void* pointer) const { return pointer >= base_ && pointer < base_ + kRegion; }

  // The first gap that is large enough.
  std::byte* allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const std::size_t size = round_up(bytes, kAlignment) + kGuard;
    std::size_t begin = 0;
    for (const auto& [offset, block] : blocks_) {
      if (offset - begin >= size) break;
      begin = offset + block.size;
    }
    if (begin + size > kRegion) return nullptr;
    blocks_[begin] = {size, bytes};
    extend(begin + size);
    std::byte* memory = base_ + begin;
    open_locked();
    permit(memory, size);
    std::memset(memory, 0xFF, size);
    forbid(memory + bytes, size - bytes);
    close_locked();
    in_use_ += bytes;
    return memory;
  }

  void release(std::byte* memory) {
    const std::lock_guard lock(mutex_);
    const auto block = blocks_.find(static_cast<std::size_t>(memory - base_));
    if (block == blocks_.end()) return;
    forbid(memory, block->second.size);
    in_use_ -= block->second.bytes;
    blocks_.erase(block);
  }

  std::size_t in_use() {
    const std::lock_guard lock(mutex_);
    return in_use_;
  }

  void open() {
    const std::lock_guard lock(mutex_);
    open_locked();
  }
  void close() {
    const std::lock_guard lock(mutex_);
    close_locked();
  }

 private:
  struct Block {
    std::size_t size, bytes;  // with guard; asked for
  };

  void protect(int access) const {
    if (used_ > 0) mprotect(base_, used_, access);
  }
  void open_locked() {
    if (open_++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  void close_locked() {
    if (--open_ == 0) protect(PROT_NONE);
  }
  // Pages that were never used stay closed, and free.
  void extend(std::size_t end) {
    const std::size_t used = std::max(used_, round_up(end, kPage));
    if (used == used_) return;
    used_ = used;
    if (open_ > 0) protect(PROT_READ | PROT_WRITE);
  }

  std::mutex mutex_;
  std::byte* base_ = nullptr;
  std::map<std::size_t, Block> blocks_;  // by offset
  std::size_t used_ = 0, in_use_ = 0;
  int open_ = 0;
};

// Never destroyed: device memory may be released by destructors of static objects.
Region& region() {
  alignas(Region) static std::byte storage[sizeof(Region)];
  static Region& instance = *::new (storage) Region;
  return instance;
}

struct sigaction handler_before;

void explain(int signal, siginfo_t* info, void*) {
  if (region().holds(info->si_addr)) {
    constexpr char kText[] =
        "simt: the host touches device memory outside kernels and copies: copy_async and synchronize first\n";
    [[maybe_unused]] const auto written = write(STDERR_FILENO, kText, sizeof kText - 1);
  }
  sigaction(signal, &handler_before, nullptr);  // the access is tried again and faults for that handler
}

}  // namespace

std::byte* allocate_device_memory(std::int64_t bytes) {
  return region().allocate(static_cast<std::size_t>(bytes));
}
void release_device_memory(std::byte* memory) {
  region().release(memory);
}
bool is_device_memory(const void* pointer) {
  return region().holds(pointer);
}
std::int64_t device_memory_in_use() {
  return static_cast<std::int64_t>(region().in_use());
}

OpenDeviceMemory::OpenDeviceMemory() {
  region().open();
}
OpenDeviceMemory::~OpenDeviceMemory() {
  region().close();
}

void explain_device_faults() {
  region();  // made here, not in the handler
  struct sigaction current {};
  sigaction(SIGSEGV, nullptr, &current);
  if ((current.sa_flags & SA_SIGINFO) && current.sa_sigaction == explain) return;
  handler_before = current;
  struct sigaction mine {};
  mine.sa_sigaction = explain;
  mine.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &mine, nullptr);
}

}  // namespace simt
