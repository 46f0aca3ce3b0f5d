// A folder with photos and a small VGG to imitate, and the runs of train_engine that do it.
#pragma once
#include <algorithm>
#include <string>

#include "engine/image/image.hpp"
#include "engine/io/weights_file.hpp"
#include "tests/support/hash_weights.hpp"
#include "tests/support/tiny_run.hpp"
#include "weights_import/random_vgg.hpp"

namespace chiaro::test {

// photos/0.png .. 5.png, held_out/0.png .. 2.png, vgg19.h5 of width 8, config.toml; runs go to run/.
class TinyDistill : public TinyRun {
 public:
  static constexpr int kPhotos = 6, kHeldOut = 3;

  TinyDistill() {
    for (int i = 0; i < kPhotos; ++i)
      add_picture("photos/" + std::to_string(i) + ".png", 40 + 3 * i, 60 - 2 * i);
    for (int i = 0; i < kHeldOut; ++i) add_picture("held_out/" + std::to_string(i) + ".png", 36 + i, 44);
    write_weights(vgg(), random_vgg(19, 8, 7));
    write("config.toml", R"(
task = "distill"
[data]
train = ["photos"]
image_size = 32
batch_size = 2
[weights]
vgg19 = "vgg19.h5"
[distill]
ranks = [2, 3, 5, 8, 8]
layers = ["relu3_1", "relu1_1", "relu2_2"]
validation = ["held_out"]
validate_every = 5
[optimizer]
warmup = 0
lr = 0.02
[train]
iterations = 12
precision = "fp32"
checkpoint_every = 4
keep_checkpoints = 2
gradient_norms_every = 5
out = "run"
)");
  }

  std::string vgg() const { return *this / "vgg19.h5"; }

 private:
  void add_picture(const std::string& name, std::int64_t height, std::int64_t width) const {
    Image image(height, width, 3);
    std::ranges::copy(hash_picture(name, 1, height, width), image.pixels.begin());
    encode_image(*this / name, image);
  }
};

}  // namespace chiaro::test
