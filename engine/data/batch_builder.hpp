// Makes batches of training photos. Batch number i is a pure function of (options, source, i): of nothing
// that was made before it, and of no thread.
//
// Sample s = i * batch_size + j belongs to epoch s / count and has the place s % count in that epoch's order:
// a permutation drawn from (seed, epoch), or the order of the source without shuffle. So every photo comes
// once per epoch, and a batch may span two epochs. A photo that cannot be used is replaced by the next usable
// one in its epoch's order, and recorded.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/data/photo_source.hpp"
#include "engine/data/samples.hpp"
#include "engine/rng.hpp"

namespace chiaro {

// How a photo becomes a square. Random and Center first scale the short side to image_size, antialiased;
// Random then takes a place along the long side drawn from (seed, s). Photos are never mirrored: styles have
// a direction. None takes only photos that already have the size.
enum class CropMode { Random, Center, None };

struct BatchOptions {
  std::int64_t image_size = 256;  // pixels, height and width
  std::int64_t batch_size = 4;
  CropMode crop = CropMode::Random;
  bool shuffle = true;
  std::uint64_t seed = 1;
  double recolor = 0;  // 0 to 1: how far colors are changed (recolor.hpp), drawn from (seed, s)
  // Prepared photos are kept in memory up to this many bytes; 0: none. Does not change any batch.
  std::int64_t cache_bytes = std::int64_t{512} << 20;
};

struct Batch {
  std::int64_t index = -1;
  std::vector<std::uint8_t> pixels;  // (batch_size, image_size, image_size, 3), RGB
  std::vector<std::int64_t> photos;  // (batch_size): index of each photo in the source
};

class BatchBuilder {
 public:
  BatchBuilder(std::shared_ptr<const PhotoSource> source, const BatchOptions& options);

  // Fills batch with batch number index >= 0; its memory is reused. May be called from several threads.
  // Error if no photo can be used: all are bad, or 1000 one after the other.
  void build(std::int64_t index, Batch& batch);

  // The photos found to be bad so far, each once, in the order of the source.
  std::vector<BadPhoto> bad_photos() const;

 private:
  using Photo = SampleStore<Image>::Sample;

  Photo prepared(std::int64_t photo);  // scaled, not yet cut where crop is Random; null: a bad photo
  Image prepare(std::int64_t photo) const;
  std::int64_t fill_sample(std::int64_t sample, std::uint8_t* pixels);

  std::shared_ptr<const PhotoSource> source_;
  BatchOptions options_;
  Rng crop_rng_;
  EpochOrders orders_;
  SampleStore<Image> photos_;
};

}  // namespace chiaro
