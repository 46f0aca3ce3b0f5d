// The folder of a run: what is in it, what a resume may change, and its report.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/training/config.hpp"
#include "engine/checkpoint.hpp"
#include "kernels/base/context.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

// The folder of a training run and what is kept in it:
//   config.toml  data.txt  metrics.jsonl  previews/NNNNNN.png  checkpoints/NNNNNN.h5  model.h5  report.html
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
  std::filesystem::path data_file() const { return path_ / "data.txt"; }
  std::filesystem::path report_file() const { return path_ / "report.html"; }
  std::filesystem::path preview_file(std::int64_t iteration) const;
  std::filesystem::path checkpoint_file(std::int64_t iteration) const;

  // Finished files of the two kinds, oldest first.
  std::vector<std::filesystem::path> checkpoints() const;
  std::vector<std::filesystem::path> previews() const;
  // Removes all but the last `keep` checkpoints up to iteration `newest`. Files of later iterations, left by
  // a run that could not read them and went back, are not counted and not touched.
  void prune_checkpoints(std::int64_t newest, std::int64_t keep) const;

  // Appends one line to metrics.jsonl. A line that cannot be written is kept, with a note for the user, and is
  // written before the next one.
  void append_metrics(const std::string& json_line) const;
  // Brings metrics.jsonl to the disk. Error where lines cannot be written.
  void sync_metrics() const;
  // Drops the lines of iterations after the given one, and a last line that was cut off. Any other line that
  // is not one of a run is an Error with its number.
  void truncate_metrics(std::int64_t last_iteration) const;

  // What the run is trained on, in data.txt. check_data() is for a run that goes on: Error, with the first difference,
  // where the names are others now. A run of an older version has no list yet, and gets one.
  void record_data(const std::vector<std::string>& names) const;
  void check_data(const std::vector<std::string>& names) const;
  // Removes what killed programs left behind.
  void sweep() const;

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}

  void write_metrics() const;

  std::filesystem::path path_;
  mutable std::string unwritten_;            // lines of metrics.jsonl
  mutable std::int64_t metrics_bytes_ = -1;  // of the lines that are written; -1: all that is there
  mutable bool noted_ = false;               // the user knows that there are some
};

// What training runs of every task share: stopping them, continuing them, and what goes into their models.

// The configuration as it goes into a model that may be handed on: file names, but no folders of this
// machine.
TrainConfig without_folders(TrainConfig config);

// "the last checkpoint is ..."; saved: its iteration, 0 for none.
std::string last_checkpoint(const RunFolder& folder, std::int64_t saved);
// For a run in which a value is not finite. Nothing of the iteration is kept: the parameters are still those
// of the one before.
Error stopped_run(const RunFolder& folder, std::int64_t iteration, std::int64_t saved,
                  const std::string& reason, const std::string& remedy);

// Refuses overrides of a resumed run that would change its results.
void require_same_results(const std::vector<std::string>& overrides);
// The newest checkpoint that can be read, loaded; statistics: a second store, or null. None when the run was
// cut off before its first one. Error when there are some and none can be read.
std::optional<CheckpointInfo> restore(const RunFolder& folder, ParamStore& params, ParamStore* statistics);
// Refuses to continue a run that has done more than train.iterations.
void require_not_over(const TrainConfig& config, const RunFolder& folder, std::int64_t done);
// Tells the user where another device or number of threads costs bits, and where the run goes on, with how
// much of train.minutes (0 = no limit) behind it.
void note_changes(const Context& context, const std::optional<CheckpointInfo>& info);
void announce_resume(const std::optional<CheckpointInfo>& info, double minutes);

// The page of a run that people look at.

// Writes report.html from metrics.jsonl, the previews and config.toml: self-contained but for the preview
// files beside it. Needs nothing but a browser.
void write_report(const RunFolder& folder);

}  // namespace chiaro
