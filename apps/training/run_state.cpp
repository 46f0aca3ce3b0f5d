#include "apps/training/run_state.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include "apps/common/progress_line.hpp"

namespace chiaro {

TrainConfig without_folders(TrainConfig config) {
  const auto strip = [](std::string& path) { path = std::filesystem::path(path).filename().string(); };
  for (std::string& path : config.data.train) strip(path);
  for (std::string& path : config.distill.validation) strip(path);
  for (StyleConfig& style : config.styles) strip(style.image);
  for (std::string* path : {&config.weights.vgg19, &config.weights.vgg16, &config.weights.resnet_upproj,
                            &config.model.init, &config.depth.train_list, &config.depth.validation_list,
                            &config.depth.encoder_weights, &config.train.out})
    strip(*path);
  return config;
}

std::string last_checkpoint(const RunFolder& folder, std::int64_t saved) {
  return saved == 0 ? "there is no checkpoint yet"
                    : "the last checkpoint is " + folder.checkpoint_file(saved).string();
}

Error stopped_run(const RunFolder& folder, std::int64_t iteration, std::int64_t saved,
                  const std::string& reason, const std::string& remedy) {
  return Error("iteration {}: {}; the run is stopped, {}. A lower {} may help", iteration, reason,
               last_checkpoint(folder, saved), remedy);
}

void require_same_results(const std::vector<std::string>& overrides) {
  static constexpr std::array<const char*, 9> kKeys{
      "train.iterations",    "train.minutes",   "train.checkpoint_every", "train.keep_checkpoints",
      "train.preview_every", "train.log_every", "data.workers",           "train.gradient_norms_every",
      "data.cache_mb"};
  for (const auto& text : overrides) {
    const std::string key = text.substr(0, text.find_first_of(" ="));
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
      throw Error(
          "--resume with --set {}: this would change the run's results; start a new run, for example from "
          "this one's model with model.init",
          text);
  }
}

std::optional<CheckpointInfo> restore(const RunFolder& folder, ParamStore& params, ParamStore* statistics) {
  auto checkpoints = folder.checkpoints();
  if (checkpoints.empty()) return {};
  for (; !checkpoints.empty(); checkpoints.pop_back()) {
    try {
      return read_checkpoint(checkpoints.back(), params, statistics);
    } catch (const Error& error) {
      fmt::print(stderr, "{}; trying the checkpoint before it\n", error.what());
    }
  }
  throw Error("{}: none of its checkpoints can be read; start again with another train.out",
              folder.path().string());
}

void require_not_over(const TrainConfig& config, const RunFolder& folder, std::int64_t done) {
  if (done > config.train.iterations)
    throw Error("{}: has {} iterations already, train.iterations = {} cannot take them back",
                folder.path().string(), done, config.train.iterations);
}

void note_changes(const Context& context, const std::optional<CheckpointInfo>& info) {
  if (!info) return;
  const char* device = name_of(context.device());
  if (info->device != device)
    fmt::print(stderr,
               "note: the run was on the device {0}, now it is on {1}; the last bits of the results will "
               "differ (--device {0} keeps them)\n",
               info->device, device);
  else if (context.device() == Device::Cpu && info->threads != context.threads())
    fmt::print(stderr,
               "note: the run used {0} threads, now there are {1}; the last bits of the results will differ "
               "(--threads {0} keeps them)\n",
               info->threads, context.threads());
}

void announce_resume(const std::optional<CheckpointInfo>& info, double minutes) {
  std::string text = "the run stopped before its first checkpoint; starting from the beginning";
  if (info) text = fmt::format("resuming after iteration {}", info->iteration);
  if (info && minutes > 0)
    text += fmt::format("; {} of {} are used", duration_text(info->seconds), duration_text(60 * minutes));
  fmt::print(stderr, "{}\n", text);
}

}  // namespace chiaro
