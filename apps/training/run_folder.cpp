#include "apps/training/run_folder.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/file_util.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

namespace fs = std::filesystem;

namespace {

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw Error("{}: the folder cannot be made: {}", path.string(), error.message());
}

std::int64_t iteration_of(const fs::path& file) {
  return std::stoll(file.stem().string());
}

// Files NNNNNN.extension, by number; anything else in the folder (temporaries of a killed run) is not ours.
std::vector<fs::path> numbered_files(const fs::path& folder, const std::string& extension) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string stem = entry.path().stem().string();
    const bool digits =
        !stem.empty() && std::all_of(stem.begin(), stem.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (digits && entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return iteration_of(a) < iteration_of(b); });
  return files;
}

}  // namespace

void RunFolder::require_new(const std::string& path) {
  const RunFolder folder{fs::path(path)};
  if (fs::exists(folder.metrics_file()) || !folder.checkpoints().empty())
    throw Error("{0}: already holds a run; continue it with --resume {0} or choose another train.out", path);
}

RunFolder RunFolder::create(const TrainConfig& config) {
  require_new(config.train.out);
  RunFolder folder{fs::path(config.train.out)};
  make_folder(folder.path_ / "previews");
  make_folder(folder.path_ / "checkpoints");
  write_text(folder.config_file(), to_toml(config));
  return folder;
}

RunFolder RunFolder::open(const fs::path& path) {
  RunFolder folder{fs::absolute(path / "").lexically_normal().parent_path()};
  if (!fs::is_directory(path)) throw Error("{}: no such run folder", path.string());
  if (!fs::exists(folder.config_file()))
    throw Error("{}: not the folder of a run: it has no config.toml", path.string());
  return folder;
}

fs::path RunFolder::preview_file(std::int64_t iteration) const {
  return path_ / "previews" / fmt::format("{:06}.png", iteration);
}

fs::path RunFolder::checkpoint_file(std::int64_t iteration) const {
  return path_ / "checkpoints" / fmt::format("{:06}.h5", iteration);
}

std::vector<fs::path> RunFolder::checkpoints() const {
  return numbered_files(path_ / "checkpoints", ".h5");
}

std::vector<fs::path> RunFolder::previews() const {
  return numbered_files(path_ / "previews", ".png");
}

void RunFolder::prune_checkpoints(std::int64_t newest, std::int64_t keep) const {
  auto files = checkpoints();
  std::erase_if(files, [&](const fs::path& file) { return iteration_of(file) > newest; });
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep) < files.size(); ++i) remove_quietly(files[i]);
}

void RunFolder::append_metrics(const std::string& json_line) const {
  std::ofstream file(metrics_file(), std::ios::app);
  file << json_line << '\n';
  file.flush();
  if (!file) throw Error("{}: cannot be written", metrics_file().string());
}

void RunFolder::truncate_metrics(std::int64_t last_iteration) const {
  std::ifstream file(metrics_file());
  std::string kept, line;
  while (std::getline(file, line)) {
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded() || !json.is_object() ||
        json.value("iteration", last_iteration + 1) > last_iteration)
      break;
    kept += line + '\n';
  }
  file.close();
  write_text(metrics_file(), kept);
}

}  // namespace chiaro
