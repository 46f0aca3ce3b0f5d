#include "apps/training/depth_data.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "apps/evaluate/depth_picture.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

DepthData open_depth_data(const TrainConfig& config) {
  if (config.data.train.size() != 1)
    throw Error("data.train names {} folders, expected one with rgb/ and depth/ for task = \"depth\"",
                config.data.train.size());
  const std::string& folder = config.data.train.front();
  const DepthConfig& depth = config.depth;
  DepthData data;
  data.train = std::make_shared<DepthList>(folder, depth.train_list, depth.meters_per_unit);
  if (!depth.validation_list.empty())
    data.validation = std::make_shared<DepthList>(folder, depth.validation_list, depth.meters_per_unit);
  return data;
}

DepthBatchOptions depth_batch_options(const TrainConfig& config, DepthUse use, PictureSize target) {
  DepthBatchOptions options;
  options.use = use;
  options.batch_size = config.data.batch_size;
  options.input = {config.depth.input_height, config.depth.input_width};
  options.target = target;
  options.seed = static_cast<std::uint64_t>(config.seed);
  options.cache_bytes = config.data.cache_mb << 20;
  options.augmentation.max_scale = config.depth.max_scale;
  options.augmentation.max_rotation = config.depth.max_rotation;
  options.augmentation.channel_gain = config.depth.channel_gain;
  options.augmentation.overall_gain = config.depth.overall_gain;
  if (!config.depth.augment)
    options.augmentation = {
        .max_scale = 1, .max_rotation = 0, .channel_gain = 0, .overall_gain = 0, .mirror_probability = 0};
  return options;
}

namespace {

// Part number `index` of values that consist of equal parts.
std::span<const float> part(std::span<const float> values, std::size_t index, std::int64_t size) {
  return values.subspan(index * static_cast<std::size_t>(size), static_cast<std::size_t>(size));
}

Image photo_of(std::span<const float> rgb, PictureSize size) {
  Image photo(size.height, size.width, 3);
  std::ranges::transform(rgb, photo.pixels.begin(), [](float value) {
    return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.f, 255.f)));
  });
  return photo;
}

DepthMap map_of(std::span<const float> meters, PictureSize size) {
  return {size.height, size.width, {meters.begin(), meters.end()}};
}

}  // namespace

Image draw_depth_preview(const DepthBatch& batch, std::span<const float> prediction, PictureSize input,
                         PictureSize target, std::size_t most) {
  const std::int64_t colors = input.height * input.width * 3, depths = target.height * target.width;
  std::vector<std::vector<Image>> rows;
  for (std::size_t j = 0; j < batch.pairs.size() && rows.size() < most; ++j) {
    if (batch.pairs[j] < 0) continue;
    const DepthMap measured = map_of(part(batch.depth, j, depths), target);
    const DepthMap predicted = map_of(part(prediction, j, depths), target);
    const DepthRange range = range_of(measured, 0);
    const auto enlarged = [&](const DepthMap& map) {
      return resize(draw_depth(map, range), input.height, input.width);
    };
    rows.push_back({photo_of(part(batch.rgb, j, colors), input), enlarged(measured), enlarged(predicted)});
  }
  return rows.empty() ? Image() : make_grid(rows);
}

}  // namespace chiaro
