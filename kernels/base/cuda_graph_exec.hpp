// Work for a GPU that is recorded once and replayed as one CUDA graph, which costs the host a single call.
//
// record() calls `work` with the context's stream in capture mode: kernels, copies and fills that it queues
// are taken down with their arguments, pointers included, and do not run. replay() queues all of them, in
// order; it returns before they have run.
//
// Work: must not wait, allocate device memory or read results; what should change from replay to replay lies
// in memory that the recorded operations read.
// Host: what the host knows of the device when it records is not what is true at a replay. So no operation
// may be left out of `work` because it happens not to be needed at the moment; who keeps such knowledge asks
// recording_number(), and note_at_replays() tells it what each replay has changed.
// Errors: a context of the CPU; a recording inside another; what CUDA refuses; an exception of `work` passes
// through and leaves the stream usable.
// Deterministic: the recorded operations run one after the other as they were queued.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/base/context.hpp"
#include "kernels/cuda/recording.hpp"

namespace chiaro {

class CudaGraphExec {
 public:
  static CudaGraphExec record(Context& context, const std::function<void()>& work);
  // context: of the same device.
  void replay(Context& context);
  std::int64_t operations() const { return recording_->operations(); }

 private:
  using Notes = std::vector<std::function<void()>>;
  CudaGraphExec(std::unique_ptr<cuda::Recording> recording, Notes notes)
      : recording_(std::move(recording)), notes_(std::move(notes)) {}

  std::unique_ptr<cuda::Recording> recording_;
  Notes notes_;
};

// The recording that this thread is making of a context's device, by a number that no other has; 0: none.
std::uint64_t recording_number(const Context& context);

// Called by work that is being recorded: `note` is to be called after every replay has been queued, in the
// order of the notes, and never by record(). It may refer to what outlives the recording.
void note_at_replays(std::function<void()> note);

}  // namespace chiaro
