#include "engine/data/depth_loader.hpp"

#include <algorithm>
#include <utility>

#include "kernels/common/error.hpp"

namespace chiaro {

DepthLoader::DepthLoader(std::shared_ptr<const DepthList> list, const DepthLoaderOptions& options)
    : builder_(std::move(list), options.batches),
      prefetch_(options.prefetch),
      next_to_deliver_(options.first_batch),
      next_to_make_(options.first_batch) {
  require(options.first_batch >= 0 && options.workers >= 0 && options.prefetch >= 1,
          "depth data: first batch {}, {} workers, {} batches ahead are not possible", options.first_batch,
          options.workers, options.prefetch);
  slots_.resize(static_cast<std::size_t>(prefetch_) + 1);
  for (int i = 0; i < options.workers; ++i) {
    workers_.emplace_back([this](std::stop_token stop) { work(std::move(stop)); });
  }
}

const DepthBatch& DepthLoader::next() {
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

void DepthLoader::work(std::stop_token stop) {
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

std::string DepthLoader::skipped_summary(std::size_t lines) const {
  const std::vector<BadPhoto> pairs = skipped();
  if (pairs.empty()) return "";
  std::string text =
      fmt::format("{} pair{} of photo and depth map could not be used and {} skipped:", pairs.size(),
                  pairs.size() == 1 ? "" : "s", pairs.size() == 1 ? "was" : "were");
  const std::size_t shown = std::min(lines, pairs.size());
  for (std::size_t i = 0; i < shown; ++i) text += "\n  " + pairs[i].reason;
  if (shown < pairs.size()) text += fmt::format("\n  ... and {} more", pairs.size() - shown);
  return text;
}

}  // namespace chiaro
