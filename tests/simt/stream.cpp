#include "tests/simt/stream.hpp"

#include "tests/simt/device_memory.hpp"

void CUstream_st::submit(simt::Work work) {
  const std::lock_guard lock(mutex_);
  (recording_ ? recorded_ : queued_).push_back(std::move(work));
}

void CUstream_st::submit(const std::vector<simt::Work>& work) {
  const std::lock_guard lock(mutex_);
  for (const simt::Work& w : work) submit(w);
}

void CUstream_st::finish_quietly() noexcept {
  const std::lock_guard lock(mutex_);
  const std::vector<simt::Work> queued = std::exchange(queued_, {});
  if (queued.empty() || error_) return;
  try {
    const simt::OpenDeviceMemory open;
    for (const simt::Work& work : queued) work.run();
  } catch (...) {
    error_ = std::current_exception();
  }
}

void CUstream_st::finish() {
  const std::lock_guard lock(mutex_);
  finish_quietly();
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

std::vector<simt::Work> CUstream_st::end_recording() {
  recording_ = false;
  return std::exchange(recorded_, {});
}
