#include "apps/training/depth_data.hpp"

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

}  // namespace chiaro
