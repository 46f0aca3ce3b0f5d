// A folder with all that a depth training of a few milliseconds per iteration needs, and the runs themselves.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>

#include "engine/image/image.hpp"
#include "tests/support/depth_pictures.hpp"
#include "tests/support/tiny_run.hpp"

namespace chiaro::test {

// data/rgb/NN.png, data/depth/NN.png, data/train.txt, data/val.txt, config.toml; runs go to run/.
// A picture is a smooth field: where it is near it is red, where it is far it is blue, and its depth is
// meters = 1 + 4 * field. Its upper left corner has no depth.
class TinyDepth : public TinyRun {
 public:
  static constexpr int kTrain = 6, kValidation = 3;

  TinyDepth() {
    std::string train, validation;
    for (int i = 0; i < kTrain + kValidation; ++i) {
      const std::string id = fmt::format("{:02}", i);
      add_pair(id, i);
      (i < kTrain ? train : validation) += id + "\n";
    }
    write("data/train.txt", train);
    write("data/val.txt", validation);
    write("config.toml", R"(
task = "depth"
[data]
train = ["data"]
batch_size = 2
[depth]
encoder = "resnet50-c4"
width = 2
input_height = 64
input_width = 96
validate_every = 5
[optimizer]
warmup = 0
lr = 0.01
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

 private:
  void add_pair(const std::string& id, int number) const {
    constexpr std::int64_t kHeight = 72, kWidth = 108, kHole = 10;
    Image photo(kHeight, kWidth, 3);
    GrayImage depth{.height = kHeight, .width = kWidth, .bits = 16, .values = {}};
    const double phase = number, across = 1 + number % 3, down = 2 - number % 2;
    for (std::int64_t y = 0; y < kHeight; ++y) {
      for (std::int64_t x = 0; x < kWidth; ++x) {
        const double u = double(x) / double(kWidth), v = double(y) / double(kHeight);
        const double field = 0.5 + 0.5 * std::sin(phase + 3 * across * u + 3 * down * v);
        photo.at(y, x)[0] = static_cast<std::uint8_t>(std::lround(255 * (1 - field)));
        photo.at(y, x)[1] = 128;
        photo.at(y, x)[2] = static_cast<std::uint8_t>(std::lround(255 * field));
        const bool hole = y < kHole && x < kHole;
        depth.values.push_back(hole ? 0 : static_cast<std::uint16_t>(std::lround(1000 + 4000 * field)));
      }
    }
    encode_image(*this / ("data/rgb/" + id + ".png"), photo);
    write("data/depth/" + id + ".png", gray_png(depth));
  }
};

}  // namespace chiaro::test
