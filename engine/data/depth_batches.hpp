// Makes batches for the training and the validation of depth networks. Batch number i is a pure function of
// (list, options, i): of nothing that was made before it, and of no thread.
//
// What a network sees of a picture: the part in the middle, `frame` of its height and width, scaled so that
// it just covers the input. With 320 x 240 pictures, an input of 304 x 228 and frame = 0.95 no pixel is
// scaled: the window is the center crop of Laina et al. The rest is left out because the pictures of Kinect
// cameras have a white margin.
//
// Train: sample s = i * batch_size + j belongs to epoch s / count and has the place s % count in that epoch's
//   order, a permutation drawn from (seed, epoch). Its window is drawn from (seed, epoch, pair). A pair that
//   cannot be used is replaced by the next usable one in the order, and recorded.
// Validate: every pair once, in the order of the list, its middle window; batch i is batch
//   i % batches_per_pass() of a pass. Places without a pair, behind the end of the list or because it cannot
//   be used, have pair -1, a black photo and no known depth: they count for nothing in masked metrics.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/data/depth_list.hpp"
#include "engine/data/depth_transform.hpp"
#include "engine/data/samples.hpp"

namespace chiaro {

enum class DepthUse { Train, Validate };

struct DepthBatchOptions {
  DepthUse use = DepthUse::Train;
  std::int64_t batch_size = 16;
  PictureSize input = {228, 304};
  PictureSize target = {128, 160};  // the network's output
  double frame = 0.95;              // above 0, at most 1
  DepthAugmentation augmentation;   // for Train
  std::uint64_t seed = 1;
  // Decoded pairs, 5 bytes a pixel of the frame, are kept in memory up to this many bytes; 0: none. Does not
  // change any batch.
  std::int64_t cache_bytes = std::int64_t{512} << 20;
};

struct DepthBatch {
  std::int64_t index = -1;
  std::int64_t epoch = 0, position = 0;  // of the first sample: index * batch_size = epoch * count + position
  std::vector<float> rgb;                // (batch_size, input.height, input.width, 3), 0..255
  std::vector<float> depth;              // (batch_size, target.height, target.width, 1), meters; 0: unknown
  std::vector<std::int64_t> pairs;       // (batch_size): index of each pair in the list, -1: none
};

class DepthBatchBuilder {
 public:
  DepthBatchBuilder(std::shared_ptr<const DepthList> list, const DepthBatchOptions& options);

  // Fills batch with batch number index >= 0; its memory is reused. May be called from several threads.
  // Error if no pair can be used: for Train all of them or 1000 one after the other, for Validate all.
  void build(std::int64_t index, DepthBatch& batch);

  std::int64_t batches_per_pass() const;  // ceil(count / batch_size)

  // Every pair found to be unusable so far, each once: those that the list skipped, then the others in order.
  std::vector<BadPhoto> skipped() const;

 private:
  using Pair = SampleStore<DepthPair>::Sample;

  Pair prepared(std::int64_t index);  // cut to the frame and scaled; null: cannot be used
  // These fill place j and return the pair that they used.
  std::int64_t fill_for_training(std::int64_t sample, DepthBatch& batch, std::int64_t j);
  std::int64_t fill_for_validation(std::int64_t place, DepthBatch& batch, std::int64_t j);
  void fill(const DepthPair& pair, const DepthTransform& transform, DepthBatch& batch, std::int64_t j) const;

  std::shared_ptr<const DepthList> list_;
  DepthBatchOptions options_;
  EpochOrders orders_;
  SampleStore<DepthPair> pairs_;
};

// The part of a pair that networks see, scaled to cover the input: photos as resize(), depths by the nearest.
DepthPair fit_to_input(DepthPair pair, PictureSize input, double frame, const std::string& name);

}  // namespace chiaro
