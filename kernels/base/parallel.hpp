// Parallel loops for CPU kernels.
#pragma once
#include <omp.h>

#include <cstdint>

namespace chiaro {

// Calls body(i) for 0 <= i < count on the OpenMP threads, in contiguous static chunks. Bodies must write
// disjoint data; reductions go through partial results that are added in index order afterwards.
template <class Body>
void parallel_for(std::int64_t count, Body&& body) {
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) body(i);
}

// Calls body(i, thread) for 0 <= i < count on `threads` threads, each taking the next i when it has finished
// one: for few, large pieces, so that a thread whose core is busy with something else takes fewer. Which
// thread runs which i differs from call to call, so results must not depend on it. 0 <= thread < threads.
template <class Body>
void parallel_shares(int threads, std::int64_t count, Body&& body) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (std::int64_t i = 0; i < count; ++i) body(i, omp_get_thread_num());
}

// While it lives, what this thread starts runs on it alone: libraries split sums by the number of threads
// that they may use, and primitives that run inside a parallel loop must have been made for one.
class SingleThread {
 public:
  explicit SingleThread(bool on = true) : before_(omp_get_max_threads()) {
    if (on) omp_set_num_threads(1);
  }
  ~SingleThread() { omp_set_num_threads(before_); }
  SingleThread(const SingleThread&) = delete;
  SingleThread& operator=(const SingleThread&) = delete;

 private:
  int before_;
};

}  // namespace chiaro
