// Work for a GPU that is recorded once and replayed as one CUDA graph, which costs the host a single call.
//
// record() calls `work` with the context's stream in capture mode: kernels, copies and fills that it queues
// are taken down with their arguments, pointers included, and do not run. replay() queues all of them, in
// order; it returns before they have run. So `work` must not wait, allocate device memory or read results,
// and what should change from replay to replay must lie in memory that the recorded operations read. Errors:
// a context of the CPU; what CUDA refuses; an exception of `work` passes through and leaves the stream
// usable. Deterministic: the recorded operations run one after the other as they were queued.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/common/context.hpp"
#include "kernels/common/cuda/recording.hpp"

namespace chiaro {

class CapturedWork {
 public:
  static CapturedWork record(Context& context, const std::function<void()>& work);
  // context: of the same device.
  void replay(Context& context) { recording_->replay(context); }
  std::int64_t operations() const { return recording_->operations(); }

 private:
  explicit CapturedWork(std::unique_ptr<cuda::Recording> recording) : recording_(std::move(recording)) {}
  std::unique_ptr<cuda::Recording> recording_;
};

}  // namespace chiaro
