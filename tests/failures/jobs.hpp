// Programs that write files, small enough to be run a thousand times, and what must hold however one of them ends.
#pragma once
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/checkpoint_content.hpp"
#include "tests/support/tiny_depth.hpp"
#include "tests/support/tiny_training.hpp"

namespace chiaro::test {

namespace fs = std::filesystem;

// How many of something a test does; the environment asks for more than the few of every day.
inline int count_from(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}

// One program that replaces one file.
struct FileJob {
  std::string program;
  Words words;
  std::string output;
};

// Over the pictures and networks of a TinyTraining. The old outputs are real files that the jobs have to keep or replace.
inline std::vector<FileJob> file_jobs(const TinyTraining& tiny) {
  const std::string photo = tiny.path() + "/photos/0.png", folder = tiny.path() + "/out";
  fs::create_directories(folder);
  const std::string model = std::string(CHIARO_MODELS) + "/base.h5";
  const auto job = [&](const std::string& program, Words words, const std::string& name) {
    const std::string output = folder + "/" + name;
    words.insert(words.end(), {"-o", output});
    return FileJob{program_path(program), words, output};
  };
  return {
      job("pack_images", {tiny.path() + "/photos", "--size", "24"}, "packed.h5"),
      job("import_weights", {model, "--as", "transform_net"}, "model.h5"),
      job("import_weights", {model, "--as", "transform_net", "--style", "wave"}, "model.onnx"),
      job("import_weights", {model, "--as", "transform_net", "--style", "wave"}, "model.safetensors"),
      job("stylize_engine", {photo, "--model", model, "--style", "wave", "--threads", "1"}, "styled.png"),
  };
}

inline bool no_leftovers(const std::string& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().filename().string().starts_with(".chiaro-")) return false;
  return true;
}

// What two runs must have in common, bit for bit but for times.
struct RunOutcome {
  std::string model, checkpoint;
  std::vector<nlohmann::json> metrics;
  bool operator==(const RunOutcome&) const = default;
};

inline RunOutcome run_outcome(const std::string& run) {
  return {read_text(run + "/model.h5"), checkpoint_content(run + "/checkpoints/000012.h5"),
          repeatable_metrics(run)};
}

// Goes on with a run, or begins it where there is none to go on with.
inline ProgramResult go_on(const TinyRun& tiny) {
  return fs::exists(tiny.run() + "/config.toml") ? tiny.resume() : tiny.train();
}

}  // namespace chiaro::test
