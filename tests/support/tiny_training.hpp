// A folder with all that a training run of a few milliseconds per iteration needs, and the runs themselves.
#pragma once
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/file_util.hpp"
#include "engine/image/image.hpp"
#include "engine/io/weights_file.hpp"
#include "layers/nets/resnet_upproj.hpp"
#include "tests/support/hash_weights.hpp"
#include "tests/support/picture_folder.hpp"
#include "tests/support/run_program.hpp"
#include "weights_import/random_vgg.hpp"

namespace chiaro::test {

using Words = std::vector<std::string>;

// photos/0.png .. 7.png, style.png, vgg19.h5, depth.h5, config.toml; runs go to run/ unless told otherwise.
class TinyTraining : public PictureFolder {
 public:
  TinyTraining() {
    constexpr int kPhotos = 8;
    for (int i = 0; i < kPhotos; ++i)
      add_picture("photos/" + std::to_string(i) + ".png", 40 + 3 * i, 64 - 2 * i);
    add_picture("style.png", 40, 48);
    write_weights(vgg(), random_vgg(19, 4, 7));
    write("config.toml", R"(
[model]
width = 4
residual_blocks = 1
[data]
train = ["photos"]
image_size = 32
batch_size = 2
[style]
image = "style.png"
[weights]
vgg19 = "vgg19.h5"
resnet_upproj = "depth.h5"
[loss.depth]
weight = 0
[train]
iterations = 12
precision = "fp32"
checkpoint_every = 4
keep_checkpoints = 2
preview_every = 5
gradient_norms_every = 5
out = "run"
)");
  }

  static std::string program() { return CHIARO_BIN_DIR "/train_engine"; }
  std::string config() const { return *this / "config.toml"; }
  std::string vgg() const { return *this / "vgg19.h5"; }
  std::string depth() const { return *this / "depth.h5"; }
  std::string run() const { return path() + "/run"; }

  void add_picture(const std::string& name, std::int64_t height, std::int64_t width) const {
    Image image(height, width, 3);
    std::ranges::copy(hash_picture(name, 1, height, width), image.pixels.begin());
    encode_image(*this / name, image);
  }
  // A small ResNet-UpProj that nobody trained.
  void add_depth_network() const {
    WeightsFile file{.kind = "resnet_upproj",
                     .architecture = R"({"width":4,"encoder":"resnet50-c4","padding":"nyu"})",
                     .preprocess = to_json(Preprocess{})};
    for (const auto& p : resnet_upproj_parameters({.width = 4, .has_stage5 = false}))
      file.parameters.push_back({p.name, p.shape, hash_tensor(p.name, p.shape, kSeedResnet)});
    write_weights(depth(), file);
  }

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
