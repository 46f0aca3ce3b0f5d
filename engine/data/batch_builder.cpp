#include "engine/data/batch_builder.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/common/error.hpp"

namespace chiaro {
namespace {

constexpr std::uint32_t kOrderStream =
    0x6F726472;  // "ordr" and "crop" in ASCII: unlikely to be used elsewhere
constexpr std::uint32_t kCropStream = 0x63726F70;
constexpr std::int64_t kMaxReplacements = 1000;
constexpr std::size_t kKeptOrders = 3;  // workers are at most around one boundary between epochs

}  // namespace

BatchBuilder::BatchBuilder(std::shared_ptr<const PhotoSource> source, const BatchOptions& options)
    : source_(std::move(source)),
      options_(options),
      order_rng_(options.seed, kOrderStream),
      crop_rng_(options.seed, kCropStream) {
  require(source_ && source_->count() > 0, "loader: the source has no photos");
  require(source_->count() < (std::int64_t{1} << 32), "loader: {} photos are too many", source_->count());
  require(options.image_size > 0 && options.batch_size > 0 && options.cache_bytes >= 0,
          "loader: image size {}, batch size {} and cache of {} bytes are not possible", options.image_size,
          options.batch_size, options.cache_bytes);
  cache_.resize(static_cast<std::size_t>(source_->count()));
}

void BatchBuilder::build(std::int64_t index, Batch& batch) {
  require(index >= 0, "loader: batch number {}", index);
  const std::int64_t sample_bytes = options_.image_size * options_.image_size * 3;
  batch.index = index;
  batch.pixels.resize(static_cast<std::size_t>(options_.batch_size * sample_bytes));
  batch.photos.resize(static_cast<std::size_t>(options_.batch_size));
  for (std::int64_t j = 0; j < options_.batch_size; ++j) {
    batch.photos[static_cast<std::size_t>(j)] =
        fill_sample(index * options_.batch_size + j, batch.pixels.data() + j * sample_bytes);
  }
}

std::int64_t BatchBuilder::fill_sample(std::int64_t sample, std::uint8_t* pixels) {
  const std::int64_t count = source_->count(), size = options_.image_size;
  const Order order = options_.shuffle ? order_of(sample / count) : nullptr;
  const std::int64_t tries = std::min(count, kMaxReplacements);
  const auto photo_at = [&](std::int64_t place) {
    return order ? (*order)[static_cast<std::size_t>(place % count)] : place % count;
  };
  for (std::int64_t i = 0; i < tries; ++i) {
    const std::int64_t index = photo_at(sample % count + i);
    const Photo photo = prepared(index);
    if (!photo) continue;
    const auto counter = static_cast<std::uint64_t>(sample);
    const std::int64_t slack = std::max(photo->height, photo->width) - size;
    const std::int64_t offset = slack > 0 ? crop_rng_.below(counter, slack + 1) : 0;
    const std::int64_t top = photo->height > size ? offset : 0, left = photo->width > size ? offset : 0;
    for (std::int64_t y = 0; y < size; ++y) {
      std::memcpy(pixels + y * size * 3, photo->at(top + y, left), static_cast<std::size_t>(size * 3));
    }
    return index;
  }
  const std::lock_guard lock(mutex_);
  throw Error("photos: none of {} photos in a row can be used; the first: {}", tries,
              bad_.at(photo_at(sample % count)));
}

BatchBuilder::Photo BatchBuilder::prepared(std::int64_t photo) {
  const auto slot = static_cast<std::size_t>(photo);
  {
    const std::lock_guard lock(mutex_);
    if (cache_[slot]) return cache_[slot];
    if (bad_.contains(photo)) return nullptr;
  }
  try {
    const auto ready = std::make_shared<const Image>(prepare(photo));
    const auto bytes = static_cast<std::int64_t>(ready->pixels.size());
    const std::lock_guard lock(mutex_);
    // Nothing is ever dropped: with every photo used once per epoch no other policy has more hits.
    if (!cache_[slot] && cached_bytes_ + bytes <= options_.cache_bytes) {
      cache_[slot] = ready;
      cached_bytes_ += bytes;
    }
    return ready;
  } catch (const Error& error) {
    const std::lock_guard lock(mutex_);
    bad_.emplace(photo, error.what());
    return nullptr;
  }
}

Image BatchBuilder::prepare(std::int64_t photo) const {
  Image image = source_->read(photo);
  const std::int64_t size = options_.image_size;
  if (options_.crop == CropMode::None) {
    if (image.height != size || image.width != size) {
      throw Error("{}: {} x {} pixels, expected {} x {}; choose another size or let photos be cropped",
                  source_->name(photo), image.width, image.height, size, size);
    }
    return image;
  }
  image = fit_short_side(image, size, source_->name(photo));
  return options_.crop == CropMode::Center ? center_crop(image, size) : image;
}

BatchBuilder::Order BatchBuilder::order_of(std::int64_t epoch) {
  const std::lock_guard lock(mutex_);
  for (const auto& [known, order] : orders_) {
    if (known == epoch) return order;
  }
  auto order = std::make_shared<const std::vector<std::int64_t>>(
      permutation(order_rng_, source_->count(), static_cast<std::uint64_t>(epoch) << 32));
  orders_.emplace_back(epoch, order);
  if (orders_.size() > kKeptOrders) orders_.pop_front();
  return order;
}

std::vector<BadPhoto> BatchBuilder::bad_photos() const {
  const std::lock_guard lock(mutex_);
  std::vector<BadPhoto> photos;
  for (const auto& [photo, reason] : bad_) photos.push_back({source_->name(photo), reason});
  return photos;
}

}  // namespace chiaro
