// What one training iteration launches on the device is what the design says.
#include <doctest/doctest.h>

#include "apps/training/step_kernels.hpp"
#include "apps/training/style_trainer.hpp"
#include "tests/simt/runtime.hpp"
#include "tests/support/tiny_training.hpp"

namespace chiaro {

namespace {

// By the names of step_kernels(), without what it leaves out.
std::map<std::string, std::int64_t> launched_kernels() {
  std::map<std::string, std::int64_t> counts;
  for (std::string name : simt::take_launch_names()) {
    if (name.starts_with("conv2d ") || name == "conv2d_turn_filters") continue;
    for (const char* unit : {"_tiled", "_tensor"})
      if (name.starts_with("gram") && name.ends_with(unit)) name.resize(name.size() - std::strlen(unit));
    ++counts[name];
  }
  return counts;
}

std::string text_of(const std::map<std::string, std::int64_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) text += fmt::format("{} {}\n", name, count);
  return text;
}

}  // namespace

TEST_CASE("training on the device: an iteration launches what the design says") {
  test::TinyTraining tiny;
  tiny.add_depth_network();
  for (const std::string variant :
       {"model.upsample=nearest", "model.upsample=transposed", "loss.tv.weight=0",
        "loss.depth.layers=[\"res3d\",\"up_4x\"]", "loss.range.weight=0", "data.crop=none"}) {
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
      CHECK(text_of(launched_kernels()) == text_of(step_kernels(trainer.session().graph())));
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
