// A folder with a configuration, the training runs that are made from it, and readers of what they leave.
#pragma once
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/file_util.hpp"
#include "tests/support/picture_folder.hpp"
#include "tests/support/run_program.hpp"

namespace chiaro::test {

using Words = std::vector<std::string>;

// config.toml is written by derived classes; it sends runs to run/.
class TinyRun : public PictureFolder {
 public:
  static std::string program() { return program_path("train_engine"); }
  std::string config() const { return *this / "config.toml"; }
  std::string run() const { return path() + "/run"; }

  // Command lines; one thread where it does not matter: tests run beside each other.
  int threads = 1;
  Words fresh(const Words& overrides = {}) const { return arguments({config()}, overrides); }
  Words resumed(const Words& overrides = {}) const { return arguments({"--resume", run()}, overrides); }

  ProgramResult train(const Words& overrides = {}) const { return run_program(program(), fresh(overrides)); }
  ProgramResult resume(const Words& overrides = {}) const {
    return run_program(program(), resumed(overrides));
  }

 private:
  Words arguments(Words words, const Words& overrides) const {
    words.insert(words.end(), {"--threads", std::to_string(threads)});
    for (const std::string& text : overrides) words.insert(words.end(), {"--set", text});
    return words;
  }
};

// The complete lines of a run's metrics.jsonl.
inline std::vector<nlohmann::json> read_metrics(const std::string& run) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(run + "/metrics.jsonl");
  for (std::string line; std::getline(file, line) && !file.eof();)
    lines.push_back(nlohmann::json::parse(line));
  return lines;
}

// The same without what differs between runs: the speed.
inline std::vector<nlohmann::json> repeatable_metrics(const std::string& run) {
  auto lines = read_metrics(run);
  for (auto& line : lines) line.erase("images_per_s");
  return lines;
}

// Names of the files in a folder, sorted.
inline Words names_in(const std::string& folder) {
  Words names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

}  // namespace chiaro::test
