// Delivers the batches of DepthBatchBuilder in order, made ahead of time by worker threads.
//
// They are the same whatever the number of workers: a run that is resumed with first_batch = i sees exactly
// what the first run saw from batch i on. Batch i begins at (epoch, position) with
// i * batch_size = epoch * count + position, as DepthBatch says.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "engine/data/depth_batches.hpp"

namespace chiaro {

struct DepthLoaderOptions {
  DepthBatchOptions batches;
  std::int64_t first_batch = 0;
  int workers = 2;   // threads; 0: next() makes the batch itself
  int prefetch = 4;  // batches ready or in the making ahead of the one in use, at least 1
};

class DepthLoader {
 public:
  DepthLoader(std::shared_ptr<const DepthList> list, const DepthLoaderOptions& options);
  // Workers finish the batch in hand and end.
  ~DepthLoader() = default;
  DepthLoader(const DepthLoader&) = delete;
  DepthLoader& operator=(const DepthLoader&) = delete;

  // The next batch; it stays valid until the next call. Throws what making it threw, then and on every later
  // call. Called from one thread.
  const DepthBatch& next();

  std::int64_t batches_per_pass() const { return builder_.batches_per_pass(); }

  // As DepthBatchBuilder; batches made ahead of time count as well.
  std::vector<BadPhoto> skipped() const { return builder_.skipped(); }
  // "" if no pair was skipped, else a line with their number and one line for each of the first `lines`.
  std::string skipped_summary(std::size_t lines = 10) const;

 private:
  struct Slot {
    DepthBatch batch;
    std::exception_ptr error;
    bool ready = false;
  };

  void work(std::stop_token stop);
  Slot& slot(std::int64_t index) { return slots_[static_cast<std::size_t>(index) % slots_.size()]; }

  DepthBatchBuilder builder_;
  int prefetch_;

  std::mutex mutex_;  // guards what follows; the batch of a slot that is not ready belongs to a worker
  std::condition_variable_any changed_;
  std::vector<Slot> slots_;  // a ring: the batch in use and those ahead of it
  std::int64_t next_to_deliver_;
  std::int64_t next_to_make_;
  std::vector<std::jthread> workers_;  // the last member: joined while the others still exist
};

}  // namespace chiaro
