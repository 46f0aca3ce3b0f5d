// Delivers the batches of a builder in order, made ahead of time by worker threads.
//
// Builder::build(index, Batch&) must be a pure function of the index and callable from several threads; Batch
// has a member `index`. So the batches are the same whatever the number of workers: a run that is resumed
// with first_batch = i sees exactly what the first run saw from batch i on.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/base/error.hpp"

namespace chiaro {

struct PrefetchOptions {
  std::int64_t first_batch = 0;
  int workers = 2;   // threads; 0: next() makes the batch itself
  int prefetch = 4;  // batches ready or in the making ahead of the one in use, at least 1
};

template <class Builder, class Batch>
class Prefetcher {
 public:
  // The other arguments go to the builder.
  template <class... Arguments>
  explicit Prefetcher(const PrefetchOptions& options, Arguments&&... arguments)
      : builder_(std::forward<Arguments>(arguments)...),
        prefetch_(options.prefetch),
        next_to_deliver_(options.first_batch),
        next_to_make_(options.first_batch) {
    require(options.first_batch >= 0 && options.workers >= 0 && options.prefetch >= 1,
            "loader: first batch {}, {} workers, {} batches ahead are not possible", options.first_batch,
            options.workers, options.prefetch);
    slots_.resize(static_cast<std::size_t>(prefetch_) + 1);
    for (int i = 0; i < options.workers; ++i)
      workers_.emplace_back([this](std::stop_token stop) { work(std::move(stop)); });
  }
  // Workers finish the batch in hand and end.
  ~Prefetcher() = default;
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  // The next batch; it stays valid until the next call. Throws what making it threw, then and on every later
  // call. Called from one thread.
  const Batch& next() {
    std::unique_lock lock(mutex_);
    Slot& current = slot(next_to_deliver_);
    if (workers_.empty()) {
      builder_.build(next_to_deliver_, current.batch);
    } else {
      changed_.wait(lock, [&] { return current.ready && current.batch.index == next_to_deliver_; });
      if (current.error) std::rethrow_exception(current.error);
    }
    ++next_to_deliver_;  // gives the slot of the batch before this one back to the workers
    changed_.notify_all();
    return current.batch;
  }

  // What it says of bad photos counts those in batches made ahead of time as well.
  const Builder& builder() const { return builder_; }

 private:
  struct Slot {
    Batch batch;
    std::exception_ptr error;
    bool ready = false;
  };

  void work(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (!changed_.wait(lock, stop, [&] { return next_to_make_ < next_to_deliver_ + prefetch_; })) return;
      if (stop.stop_requested()) return;
      const std::int64_t index = next_to_make_++;
      Slot& mine = slot(index);
      mine.ready = false;
      lock.unlock();
      std::exception_ptr error;
      try {
        builder_.build(index, mine.batch);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      mine.batch.index = index;
      mine.error = error;
      mine.ready = true;
      changed_.notify_all();
    }
  }

  Slot& slot(std::int64_t index) { return slots_[static_cast<std::size_t>(index) % slots_.size()]; }

  Builder builder_;
  int prefetch_;

  std::mutex mutex_;  // guards what follows; the batch of a slot that is not ready belongs to a worker
  std::condition_variable_any changed_;
  std::vector<Slot> slots_;  // a ring: the batch in use and those ahead of it
  std::int64_t next_to_deliver_;
  std::int64_t next_to_make_;
  std::vector<std::jthread> workers_;  // the last member: joined while the others still exist
};

}  // namespace chiaro
