#include "kernels/base/cuda_graph_exec.hpp"

#include <atomic>

#include "kernels/base/build_config.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

struct Making {
  const cuda::DeviceContext* device;
  std::uint64_t number;
  std::vector<std::function<void()>> notes;
};
// CUDA captures by thread too.
thread_local Making* making = nullptr;

class MakingScope {
 public:
  explicit MakingScope(Making& now) { making = &now; }
  ~MakingScope() { making = nullptr; }
  MakingScope(const MakingScope&) = delete;
  MakingScope& operator=(const MakingScope&) = delete;
};

}  // namespace

CudaGraphExec CudaGraphExec::record(Context& context, const std::function<void()>& work) {
  require(context.device() == Device::Cuda, "work is recorded for GPUs only");
  require(!making, "work cannot be recorded while other work is");
  if constexpr (kHaveCuda) {
    static std::atomic<std::uint64_t> recordings = 0;
    Making now{.device = &context.cuda(), .number = ++recordings, .notes = {}};
    const MakingScope scope(now);
    auto recording = cuda::record(context, work);
    return {std::move(recording), std::move(now.notes)};
  } else {
    throw Error("device cuda: this build has no CUDA backend");
  }
}

void CudaGraphExec::replay(Context& context) {
  recording_->replay(context);
  for (const auto& note : notes_) note();
}

std::uint64_t recording_number(const Context& context) {
  return making && context.device() == Device::Cuda && making->device == &context.cuda() ? making->number : 0;
}

void note_at_replays(std::function<void()> note) {
  require(making != nullptr, "a note for replays was made while nothing is recorded");
  if constexpr (kHaveCuda) making->notes.push_back(std::move(note));
}

}  // namespace chiaro
