// The folder of a training run and what is kept in it:
//   config.toml  metrics.jsonl  previews/NNNNNN.png  checkpoints/NNNNNN.h5  model.h5  report.html
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/training/config.hpp"

namespace chiaro {

class RunFolder {
 public:
  // Throws Error when the folder already holds a run.
  static void require_new(const std::string& path);
  // Makes the folder of a new run and writes config.toml. A folder that already holds a run is an Error.
  static RunFolder create(const TrainConfig& config);
  // Opens the folder of a run to continue it.
  static RunFolder open(const std::filesystem::path& folder);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config_file() const { return path_ / "config.toml"; }
  std::filesystem::path metrics_file() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path model_file() const { return path_ / "model.h5"; }
  std::filesystem::path report_file() const { return path_ / "report.html"; }
  std::filesystem::path preview_file(std::int64_t iteration) const;
  std::filesystem::path checkpoint_file(std::int64_t iteration) const;

  // Finished files of the two kinds, oldest first.
  std::vector<std::filesystem::path> checkpoints() const;
  std::vector<std::filesystem::path> previews() const;
  // Removes all but the last `keep` checkpoints up to iteration `newest`. Files of later iterations, left by
  // a run that could not read them and went back, are not counted and not touched.
  void prune_checkpoints(std::int64_t newest, std::int64_t keep) const;

  // Appends one line to metrics.jsonl.
  void append_metrics(const std::string& json_line) const;
  // Drops the lines of iterations after the given one, and a last line that was cut off.
  void truncate_metrics(std::int64_t last_iteration) const;

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
};

}  // namespace chiaro
