// Device time of what is queued in a context's stream, from CUDA events. Free of CUDA headers.
//
//   timer.mark(); work A; timer.mark(); work B; timer.mark();      seconds() = {time of A, time of B}
//
// The GPU notes the time when it reaches a mark, so the host's time to queue the work counts only where the
// GPU has to wait for it. Resolution about half a microsecond.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/base/context.hpp"

struct CUevent_st;

namespace chiaro::cuda {

class EventTimer {
 public:
  // The context needs a GPU that is there; copies of it share the stream.
  explicit EventTimer(const Context& context);
  ~EventTimer();
  EventTimer(const EventTimer&) = delete;
  EventTimer& operator=(const EventTimer&) = delete;

  // Queues a mark behind everything that is in the stream.
  void mark();
  // Waits for the last mark. Seconds from each mark to the next; forgets the marks.
  std::vector<double> seconds();

 private:
  Context context_;
  std::vector<CUevent_st*> events_;  // used again and again
  std::size_t marks_ = 0;
};

// GPU memory in use right now by all processes, the driver's own included, in bytes.
std::int64_t memory_in_use(const Context& context);

}  // namespace chiaro::cuda
