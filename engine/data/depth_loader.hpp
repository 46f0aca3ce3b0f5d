// Delivers the batches of DepthBatchBuilder in order, made ahead of time by worker threads: see Prefetcher.
#pragma once
#include <string>
#include <vector>

#include "engine/data/depth_batches.hpp"
#include "engine/data/prefetcher.hpp"

namespace chiaro {

struct DepthLoaderOptions : PrefetchOptions {
  DepthBatchOptions batches;
};

class DepthLoader : public Prefetcher<DepthBatchBuilder, DepthBatch> {
 public:
  DepthLoader(std::shared_ptr<const DepthList> list, const DepthLoaderOptions& options)
      : Prefetcher(options, std::move(list), options.batches) {}

  std::int64_t batches_per_pass() const { return builder().batches_per_pass(); }

  std::vector<BadPhoto> skipped() const { return builder().skipped(); }
  // "" if no pair was skipped, else a line with their number and one line for each of the first `lines`.
  std::string skipped_summary(std::size_t lines = 10) const;
};

}  // namespace chiaro
