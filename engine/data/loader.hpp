// Delivers batches of training photos in order, made ahead of time by worker threads: see Prefetcher and
// BatchBuilder.
#pragma once
#include <string>
#include <vector>

#include "engine/data/batch_builder.hpp"
#include "engine/data/prefetcher.hpp"

namespace chiaro {

struct LoaderOptions : PrefetchOptions {
  BatchOptions batches;
};

class Loader : public Prefetcher<BatchBuilder, Batch> {
 public:
  Loader(std::shared_ptr<const PhotoSource> source, const LoaderOptions& options)
      : Prefetcher(options, std::move(source), options.batches) {}

  std::vector<BadPhoto> bad_photos() const { return builder().bad_photos(); }
  // "" without bad photos, else a line with their number and one line for each of the first `lines`.
  std::string bad_photo_summary(std::size_t lines = 10) const;
};

}  // namespace chiaro
