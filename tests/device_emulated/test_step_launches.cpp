// What one training iteration launches on the device is what the design says.
#include <doctest/doctest.h>

#include "apps/training/style_trainer.hpp"
#include "tests/simt/runtime.hpp"
#include "tests/support/tiny_training.hpp"

namespace chiaro {

namespace {
// What an iteration launches, by the first word of the kernel's name: "conv2d 90, gram 10, ...".
std::string launches_by_op() {
  std::map<std::string, int> counts;
  for (const std::string& name : simt::take_launch_names())
    ++counts[name.substr(0, name.find_first_of(" _"))];
  std::string text;
  for (const auto& [name, count] : counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, count);
  return text;
}

}  // namespace

TEST_CASE("training on the device: an iteration launches no more kernels than it needs") {
  test::TinyTraining tiny;
  tiny.add_depth_network();
  const std::pair<std::string, std::string> expected[] = {
      {"model.upsample=nearest",
       "adam 1, channel 8, conv2d 315, finish 27, gradient 1, gram 15, image 1, instance 60, max 14, moments 15, mse 4, pad 1, pixel 28, range 1, relu 49, total 1, upsample 6"},
      {"model.upsample=transposed",
       "adam 1, channel 8, conv2d 315, finish 27, gradient 1, gram 15, image 1, instance 60, max 14, moments 15, mse 4, pad 1, pixel 24, range 1, relu 49, total 1"},
      {"loss.tv.weight=0",
       "adam 1, channel 8, conv2d 315, finish 26, gradient 1, gram 15, image 1, instance 60, max 14, moments 15, mse 4, pad 1, pixel 28, range 1, relu 49, upsample 6"},
      {"loss.depth.layers=[\"res3d\",\"up_4x\"]",
       "adam 1, channel 8, conv2d 282, finish 26, gradient 1, gram 15, image 1, instance 60, max 14, moments 15, mse 3, pad 1, pixel 16, range 1, relu 48, total 1, upsample 6"},
      {"loss.range.weight=0",
       "adam 1, channel 8, conv2d 315, finish 26, gradient 1, gram 15, image 1, instance 60, max 14, moments 15, mse 4, pad 1, pixel 28, relu 49, total 1, upsample 6"},
      {"data.crop=none",
       "adam 1, channel 8, conv2d 315, finish 32, gradient 1, gram 20, image 1, instance 60, max 14, moments 15, mse 4, pad 1, pixel 28, range 1, relu 49, row 70, total 1, upsample 6"},
  };
  for (const auto& [variant, launches] : expected) {
    CAPTURE(variant);
    if (variant == "data.crop=none") tiny.take_three_styles();  // what follows has three
    // The poster's networks but for their widths: the launches do not depend on those.
    const std::vector<std::string> overrides{"loss.depth.weight=1", "model.residual_blocks=5", variant};
    const TrainConfig config = load_config(tiny.config(), overrides);
    for (const DType dtype : {DType::F32, DType::BF16}) {
      Context gpu(Device::Cuda, 1);
      StyleTrainer trainer(gpu, config, dtype, {});
      const std::vector<std::uint8_t> photos(2 * 32 * 32 * 3, 99);
      trainer.step(1, photos);
      simt::take_launch_names();
      trainer.step(2, photos);
      CHECK(launches_by_op() == launches);
    }
  }
}

TEST_CASE("training on the device: a replayed step launches what an eager one does, whoever looked before") {
  const test::TinyTraining tiny;
  const std::vector<std::uint8_t> photos(2 * 32 * 32 * 3, 99);
  for (const std::string method : {"optimizer.method=adam", "optimizer.method=sgd"}) {
    CAPTURE(method);
    const TrainConfig config = load_config(tiny.config(), std::vector{method});
    for (const DType dtype : {DType::F32, DType::BF16}) {
      Context gpu(Device::Cuda, 1);
      StyleTrainer trainer(gpu, config, dtype, {});
      trainer.step(1, photos);
      simt::take_launch_names();
      trainer.step(2, photos);  // packs everything that is trained, because step 1 changed it
      const auto eager = simt::take_launch_names();
      trainer.gradient_norms(photos);
      for (int step = 3; step <= 5; ++step) {
        simt::take_launch_names();
        trainer.step(step, photos);
        CHECK(simt::take_launch_names() == eager);
      }
    }
  }
}

}  // namespace chiaro
