#include "apps/training/training_task.hpp"

namespace chiaro {

BatchOptions batch_options(const TrainConfig& config) {
  BatchOptions options;
  options.image_size = config.data.image_size;
  options.batch_size = config.data.batch_size;
  options.crop = config.data.crop;
  options.shuffle = config.data.shuffle;
  options.seed = static_cast<std::uint64_t>(config.seed);
  options.cache_bytes = config.data.cache_mb << 20;
  if (config.task == Task::Distill) options.recolor = config.distill.recolor;
  return options;
}

LoaderOptions loader_options(const TrainConfig& config, std::int64_t first_batch) {
  LoaderOptions options;
  options.batches = batch_options(config);
  options.first_batch = first_batch;
  options.workers = static_cast<int>(config.data.workers);
  return options;
}

std::vector<std::string> names_of(const PhotoSource& source, const std::vector<std::string>& folders) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < source.count(); ++i) {
    names.push_back(source.name(i));
    for (std::string folder : folders) {
      if (!folder.ends_with('/')) folder += '/';
      if (!names.back().starts_with(folder)) continue;
      names.back().erase(0, folder.size());
      break;
    }
  }
  return names;
}

}  // namespace chiaro
