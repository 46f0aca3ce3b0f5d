#include "kernels/cuda/event_timer.hpp"

#include <cuda_runtime_api.h>

#include "kernels/cuda/check.hpp"
#include "kernels/cuda/device.hpp"

namespace chiaro::cuda {

EventTimer::EventTimer(const Context& context) : context_(context) {}

// Failures are ignored: there is nobody left to tell.
EventTimer::~EventTimer() {
  for (CUevent_st* event : events_) cudaEventDestroy(event);
}

void EventTimer::mark() {
  if (marks_ == events_.size()) {
    CUevent_st* event = nullptr;
    check(cudaEventCreate(&event), "create an event");
    events_.push_back(event);
  }
  check(cudaEventRecord(events_[marks_], stream_of(context_)), "record an event");
  ++marks_;
}

std::vector<double> EventTimer::seconds() {
  std::vector<double> result;
  if (marks_ > 0) check(cudaEventSynchronize(events_[marks_ - 1]), "wait for an event");
  for (std::size_t i = 1; i < marks_; ++i) {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, events_[i - 1], events_[i]), "read the time between events");
    result.push_back(1e-3 * static_cast<double>(milliseconds));
  }
  marks_ = 0;
  return result;
}

std::int64_t memory_in_use(const Context& context) {
  static_cast<void>(stream_of(context));  // an Error where there is no GPU to ask
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "ask for the GPU's memory");
  return static_cast<std::int64_t>(total - free);
}

}  // namespace chiaro::cuda
