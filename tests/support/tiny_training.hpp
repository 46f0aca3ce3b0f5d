// A folder with all that a training run of a few milliseconds per iteration needs, and the runs themselves.
#pragma once
#include <algorithm>
#include <string>

#include "engine/image/image.hpp"
#include "engine/io/weights_file.hpp"
#include "layers/networks/resnet_upproj/upproj_graph.hpp"
#include "tests/support/hash_weights.hpp"
#include "tests/support/tiny_run.hpp"
#include "weights_import/random_vgg.hpp"

namespace chiaro::test {

// photos/0.png .. 7.png, style.png, other.png, vgg19.h5, depth.h5, config.toml; runs go to run/ unless told
// otherwise.
class TinyTraining : public TinyRun {
 public:
  TinyTraining() {
    constexpr int kPhotos = 8;
    for (int i = 0; i < kPhotos; ++i)
      add_picture("photos/" + std::to_string(i) + ".png", 40 + 3 * i, 64 - 2 * i);
    add_picture("style.png", 40, 48);
    write_weights(vgg(), random_vgg(19, 4, 7));
    write_config("[style]\nimage = \"style.png\"");
  }

  // The same with three styles, of which the last is the picture of the first.
  void take_three_styles() const {
    add_picture("other.png", 33, 40);
    write_config(R"(
[[style]]
name = "first"
image = "style.png"
[[style]]
name = "second"
image = "other.png"
weight = 3
[[style]]
name = "again"
image = "style.png"
size = 46
)");
  }

  void write_config(const std::string& styles) const {
    write("config.toml", R"(
[model]
width = 4
residual_blocks = 1
[data]
train = ["photos"]
image_size = 32
batch_size = 2
)" + styles + R"(
[weights]
vgg19 = "vgg19.h5"
resnet_upproj = "depth.h5"
[loss.depth]
weight = 0
[optimizer]
warmup = 0
average = 0
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

  std::string vgg() const { return *this / "vgg19.h5"; }
  std::string depth() const { return *this / "depth.h5"; }

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
    for (const auto& p : parameters({.width = 4, .has_stage5 = false}))
      file.parameters.push_back({p.name, p.shape, hash_tensor(p.name, p.shape, kSeedResnet)});
    write_weights(depth(), file);
  }
};

}  // namespace chiaro::test
