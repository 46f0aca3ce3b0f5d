#include "engine/data/depth_batches.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr std::uint32_t kDepthOrderStream = 0x646F7264;  // "dord" in ASCII
constexpr std::int64_t kMaxDepthAspect = 16;

PictureSize size_of(const Image& photo) {
  return {photo.height, photo.width};
}

// Place j of a batch in which every sample has the same number of values.
std::span<float> slice(std::vector<float>& values, std::int64_t j, std::int64_t size) {
  return std::span(values).subspan(static_cast<std::size_t>(j * size), static_cast<std::size_t>(size));
}

std::shared_ptr<const DepthList> checked(std::shared_ptr<const DepthList> list) {
  require(list != nullptr, "depth data: there is no list");
  require(list->count() < (std::int64_t{1} << 32), "depth data: {} pairs are too many", list->count());
  return list;
}

}  // namespace

DepthPair fit_to_input(DepthPair pair, PictureSize input, double frame, const std::string& name) {
  const PictureSize full = size_of(pair.rgb);
  if (std::max(full.height, full.width) > kMaxDepthAspect * std::min(full.height, full.width)) {
    throw Error("{}: {} x {} pixels are too narrow a picture to train on (at most {}:1)", name, full.width,
                full.height, kMaxDepthAspect);
  }
  const auto part = [frame](std::int64_t extent) {
    return std::max<std::int64_t>(1, std::llround(static_cast<double>(extent) * frame));
  };
  const PictureSize cut = {part(full.height), part(full.width)};
  const std::int64_t top = (full.height - cut.height) / 2, left = (full.width - cut.width) / 2;
  const double scale = std::max(static_cast<double>(input.height) / static_cast<double>(cut.height),
                                static_cast<double>(input.width) / static_cast<double>(cut.width));
  const auto scaled = [scale](std::int64_t extent, std::int64_t least) {
    return std::max<std::int64_t>(least, std::llround(static_cast<double>(extent) * scale));
  };
  const PictureSize fit = {scaled(cut.height, input.height), scaled(cut.width, input.width)};
  pair.rgb = resize(crop(pair.rgb, top, left, cut.height, cut.width), fit.height, fit.width);

  GrayImage depth{.height = fit.height, .width = fit.width, .bits = pair.depth.bits, .values = {}};
  depth.values.reserve(static_cast<std::size_t>(fit.height * fit.width));
  for (std::int64_t y = 0; y < fit.height; ++y) {
    const std::int64_t from_y = top + (2 * y + 1) * cut.height / (2 * fit.height);
    for (std::int64_t x = 0; x < fit.width; ++x) {
      const std::int64_t from_x = left + (2 * x + 1) * cut.width / (2 * fit.width);
      depth.values.push_back(pair.depth.values[static_cast<std::size_t>(from_y * full.width + from_x)]);
    }
  }
  pair.depth = std::move(depth);
  return pair;
}

DepthBatchBuilder::DepthBatchBuilder(std::shared_ptr<const DepthList> list, const DepthBatchOptions& options)
    : list_(checked(std::move(list))),
      options_(options),
      orders_(Rng(options.seed, kDepthOrderStream), list_->count()),
      pairs_(list_->count(), options.cache_bytes, "depth data", "pairs") {
  require(options.batch_size > 0 && options.cache_bytes >= 0,
          "depth data: batch size {} and cache of {} bytes are not possible", options.batch_size,
          options.cache_bytes);
  for (const PictureSize size : {options.input, options.target}) {
    require(size.height > 0 && size.width > 0, "depth data: a size of {} x {} pixels is not possible",
            size.width, size.height);
  }
  require(options.frame > 0 && options.frame <= 1,
          "depth data: frame {}, expected a part of the picture above 0 and at most 1", options.frame);
  check_augmentation(options.augmentation);
}

std::int64_t DepthBatchBuilder::batches_per_pass() const {
  return (list_->count() + options_.batch_size - 1) / options_.batch_size;
}

void DepthBatchBuilder::build(std::int64_t index, DepthBatch& batch) {
  require(index >= 0, "depth data: batch number {}", index);
  const std::int64_t size = options_.batch_size, count = list_->count();
  const bool training = options_.use == DepthUse::Train;
  const std::int64_t first = training ? index * size : index % batches_per_pass() * size;
  batch.index = index;
  batch.epoch = training ? first / count : index / batches_per_pass();
  batch.position = training ? first % count : first;
  batch.rgb.resize(static_cast<std::size_t>(size * options_.input.height * options_.input.width * 3));
  batch.depth.resize(static_cast<std::size_t>(size * options_.target.height * options_.target.width));
  batch.pairs.resize(static_cast<std::size_t>(size));
  for (std::int64_t j = 0; j < size; ++j) {
    batch.pairs[static_cast<std::size_t>(j)] =
        training ? fill_for_training(first + j, batch, j) : fill_for_validation(first + j, batch, j);
  }
}

std::int64_t DepthBatchBuilder::fill_for_training(std::int64_t sample, DepthBatch& batch, std::int64_t j) {
  const std::int64_t count = list_->count(), epoch = sample / count;
  const EpochOrders::Order order = orders_.of(epoch);
  const auto [index, pair] = pairs_.first_usable(
      sample % count, [&](std::int64_t place) { return (*order)[static_cast<std::size_t>(place % count)]; },
      [&](std::int64_t i) { return prepared(i); });
  fill(*pair,
       random_window(options_.augmentation, options_.seed, epoch, index, size_of(pair->rgb), options_.input),
       batch, j);
  return index;
}

std::int64_t DepthBatchBuilder::fill_for_validation(std::int64_t place, DepthBatch& batch, std::int64_t j) {
  if (place < list_->count()) {
    if (const Pair pair = prepared(place)) {
      fill(*pair, middle_window(size_of(pair->rgb), options_.input), batch, j);
      return place;
    }
    const auto bad = pairs_.bad();
    if (std::ssize(bad) == list_->count())
      throw Error("depth data: none of {} pairs can be used; the first: {}", list_->count(),
                  bad.begin()->second);
  }
  std::ranges::fill(slice(batch.rgb, j, options_.input.height * options_.input.width * 3), 0.0f);
  std::ranges::fill(slice(batch.depth, j, options_.target.height * options_.target.width), 0.0f);
  return -1;
}

void DepthBatchBuilder::fill(const DepthPair& pair, const DepthTransform& transform, DepthBatch& batch,
                             std::int64_t j) const {
  resample_photo(pair.rgb, transform, options_.input,
                 slice(batch.rgb, j, options_.input.height * options_.input.width * 3));
  resample_depth(pair.depth, pair.meters_per_unit, transform, options_.input, options_.target,
                 slice(batch.depth, j, options_.target.height * options_.target.width));
}

DepthBatchBuilder::Pair DepthBatchBuilder::prepared(std::int64_t index) {
  return pairs_.get(
      index,
      [&] { return fit_to_input(list_->read(index), options_.input, options_.frame, list_->name(index)); },
      [](const DepthPair& pair) {
        return static_cast<std::int64_t>(pair.rgb.pixels.size() +
                                         pair.depth.values.size() * sizeof(std::uint16_t));
      });
}

std::vector<BadPhoto> DepthBatchBuilder::skipped() const {
  std::vector<BadPhoto> pairs = list_->skipped();
  for (const auto& [index, reason] : pairs_.bad()) pairs.push_back({list_->name(index), reason});
  return pairs;
}

}  // namespace chiaro
