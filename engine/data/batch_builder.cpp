#include "engine/data/batch_builder.hpp"

#include <algorithm>
#include <cstring>

#include "engine/data/recolor.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr std::uint32_t kOrderStream =
    0x6F726472;  // "ordr" and "crop" in ASCII: unlikely to be used elsewhere
constexpr std::uint32_t kCropStream = 0x63726F70;

std::shared_ptr<const PhotoSource> checked(std::shared_ptr<const PhotoSource> source) {
  require(source && source->count() > 0, "loader: the source has no photos");
  require(source->count() < (std::int64_t{1} << 32), "loader: {} photos are too many", source->count());
  return source;
}

}  // namespace

BatchBuilder::BatchBuilder(std::shared_ptr<const PhotoSource> source, const BatchOptions& options)
    : source_(checked(std::move(source))),
      options_(options),
      crop_rng_(options.seed, kCropStream),
      orders_(Rng(options.seed, kOrderStream), source_->count()),
      photos_(source_->count(), options.cache_bytes, "photos", "photos") {
  require(options.image_size > 0 && options.batch_size > 0 && options.cache_bytes >= 0,
          "loader: image size {}, batch size {} and cache of {} bytes are not possible", options.image_size,
          options.batch_size, options.cache_bytes);
  require(options.recolor >= 0 && options.recolor <= 1, "loader: recolor {} must lie in 0 to 1",
          options.recolor);
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
  const EpochOrders::Order order = options_.shuffle ? orders_.of(sample / count) : nullptr;
  const auto [index, photo] = photos_.first_usable(
      sample % count,
      [&](std::int64_t place) {
        return order ? (*order)[static_cast<std::size_t>(place % count)] : place % count;
      },
      [&](std::int64_t i) { return prepared(i); });
  const auto counter = static_cast<std::uint64_t>(sample);
  const std::int64_t slack = std::max(photo->height, photo->width) - size;
  const std::int64_t offset = slack > 0 ? crop_rng_.below(counter, slack + 1) : 0;
  const std::int64_t top = photo->height > size ? offset : 0, left = photo->width > size ? offset : 0;
  for (std::int64_t y = 0; y < size; ++y)
    std::memcpy(pixels + y * size * 3, photo->at(top + y, left), static_cast<std::size_t>(size * 3));
  if (options_.recolor > 0)
    recolor(random_colors(options_.seed, counter, options_.recolor),
            {pixels, static_cast<std::size_t>(size * size * 3)});
  return index;
}

BatchBuilder::Photo BatchBuilder::prepared(std::int64_t photo) {
  return photos_.get(
      photo, [&] { return prepare(photo); },
      [](const Image& image) { return static_cast<std::int64_t>(image.pixels.size()); });
}

Image BatchBuilder::prepare(std::int64_t photo) const {
  const std::int64_t size = options_.image_size;
  Image image = source_->read(photo, options_.crop == CropMode::None ? 0 : short_side_to_decode(size));
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

std::vector<BadPhoto> BatchBuilder::bad_photos() const {
  std::vector<BadPhoto> photos;
  for (const auto& [photo, reason] : photos_.bad()) photos.push_back({source_->name(photo), reason});
  return photos;
}

}  // namespace chiaro
