// Whole training steps and stylizing on the device, beside the CPU.
#include <doctest/doctest.h>

#include <algorithm>

#include "apps/training/depth_trainer.hpp"
#include "apps/training/distill_trainer.hpp"
#include "apps/training/style_trainer.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "tests/device_emulated/step_support.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/tiny_distill.hpp"
#include "tests/support/tiny_training.hpp"

namespace chiaro {

namespace {

using test::copy_of;
using test::hash_picture;
using test::nmse;
using test::photos;

// Style, content, depth and total variation on 32x32 pictures through tiny networks.
struct TinyStyle : test::TinyTraining {
  TrainConfig config;
  explicit TinyStyle(bool with_depth) {
    if (with_depth) add_depth_network();
    const std::vector<std::string> weight{with_depth ? "loss.depth.weight=100" : "loss.depth.weight=0"};
    config = load_config(TinyTraining::config(), weight);
  }
};

}  // namespace

TEST_CASE("training on the device: losses and gradients of a step are those of the CPU") {
  const TinyStyle tiny(true);
  Context cpu(1), gpu(Device::Cuda, 1);
  for (const DType dtype : {DType::F32, DType::BF16}) {
    CAPTURE(name_of(dtype));
    StyleTrainer expected(cpu, tiny.config, dtype, {}), found(gpu, tiny.config, dtype, {.poison = true});
    for (const std::int64_t offset : found.session().plan().memory.offsets)
      REQUIRE(offset % kDeviceAlignment == 0);
    const auto batch = photos(0, 2, 32);
    expected.forward(batch);
    found.forward(batch);
    const double loose = dtype == DType::BF16 ? 0.05 : 1e-4;
    for (std::size_t t = 0; t < expected.terms().size(); ++t) {
      CAPTURE(expected.terms()[t].name);
      CHECK(found.terms()[t].raw == doctest::Approx(expected.terms()[t].raw).epsilon(loose));
      CHECK(found.terms()[t].raw > 0);
    }
    expected.backward();
    found.backward();
    CHECK(nmse(expected.params().gradients(), found.params().gradients()) <
          (dtype == DType::BF16 ? 0.05 : 1e-6));
    CHECK(found.parameter_gradient_norm() ==
          doctest::Approx(expected.parameter_gradient_norm()).epsilon(loose));
  }
}

TEST_CASE("training on the device: five steps lead where the CPU's lead") {
  const TinyStyle tiny(false);
  Context cpu(1), gpu(Device::Cuda, 1);
  StyleTrainer expected(cpu, tiny.config, DType::F32, {}), found(gpu, tiny.config, DType::F32, {});
  const auto start = copy_of(expected.params().values());
  CHECK(start == copy_of(found.params().values()));
  for (int step = 1; step <= 5; ++step) {
    const auto batch = photos(step, 2, 32);
    const auto& terms = expected.step(step, batch);
    const auto& on_gpu = found.step(step, batch);
    // Adam's first steps have one size whatever the gradient's: rounding decides where it is close to
    // nothing.
    const double loose = step == 1 ? 1e-4 : 0.05;
    for (std::size_t t = 0; t < terms.size(); ++t)
      CHECK(on_gpu[t].raw == doctest::Approx(terms[t].raw).epsilon(loose));
  }
  CHECK(nmse(expected.params().values(), found.params().values()) < 1e-4);
  CHECK(nmse(start, found.params().values()) > 1e-4);
}

TEST_CASE("training on the device: the depth and distillation tasks step as on the CPU") {
  Context cpu(1), gpu(Device::Cuda, 1);
  TrainConfig depth;
  depth.task = Task::Depth;
  depth.data.batch_size = 2;
  depth.depth = {.encoder = Encoder::Resnet50C4, .width = 2, .input_height = 32, .input_width = 48};
  for (const OptimizerMethod method : {OptimizerMethod::Adam, OptimizerMethod::Sgd}) {
    CAPTURE(static_cast<int>(method));
    depth.optimizer.method = method;
    DepthTrainer expected(cpu, depth, DType::F32, {}), found(gpu, depth, DType::F32, {});
    DepthBatch batch;
    const PictureSize target = expected.target_size();
    for (int step = 1; step <= 4; ++step) {
      batch.rgb.clear();
      for (const std::uint8_t byte : photos(step, 1, 56)) batch.rgb.push_back(byte);
      batch.rgb.resize(2 * 32 * 48 * 3);
      batch.depth.assign(static_cast<std::size_t>(2 * target.height * target.width), 1.f + float(step));
      const double loss = expected.step(step, batch);
      CHECK(found.step(step, batch) == doctest::Approx(loss).epsilon(step == 1 ? 1e-4 : 0.2));
      // Later steps go their own ways: normalization of nearly constant channels magnifies every bit.
      if (step == 1) CHECK(nmse(expected.statistics().values(), found.statistics().values()) < 1e-8);
    }
    CHECK(found.predict(batch).size() == batch.depth.size());
  }

  const test::TinyDistill tiny;
  const TrainConfig distill = load_config(tiny.config(), {});
  DistillTrainer expected(cpu, distill, DType::F32, {}, nullptr),
      found(gpu, distill, DType::F32, {}, nullptr);
  const auto values = expected.params().values();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(i % 7) * 0.01f - 0.02f;
  expected.params().values_changed();
  std::ranges::copy(values, found.params().values().begin());
  found.params().values_changed();
  for (int step = 1; step <= 4; ++step) {
    const auto batch = photos(step, 2, 32);
    const DistillErrors& errors = expected.step(step, batch);
    const DistillErrors& on_gpu = found.step(step, batch);
    CHECK(mean_error(on_gpu.feature) == doctest::Approx(mean_error(errors.feature)).epsilon(1e-2));
    CHECK(mean_error(on_gpu.gram) == doctest::Approx(mean_error(errors.gram)).epsilon(1e-2));
  }
}

TEST_CASE("stylizing on the device: every picture is within one level of the CPU's, recorded or not") {
  Context cpu(1), gpu(Device::Cuda, 1);
  constexpr std::int64_t kHeight = 21, kWidth = 34;
  for (const Upsample upsample : {Upsample::Nearest, Upsample::Transposed}) {
    const TransformNet config{.width = 4, .residual_blocks = 1, .upsample = upsample};
    ParamStore on_cpu(ParamStore::Kind::Frozen), on_gpu(ParamStore::Kind::Frozen);
    for (ParamStore* store : {&on_cpu, &on_gpu}) {
      declare_transform_net(*store, config);
      store->allocate();
      initialize_transform_net(*store, config, 3);
    }
    Stylizer expected(cpu, on_cpu, config, kHeight, kWidth, DType::F32);
    Stylizer found(gpu, on_gpu, config, kHeight, kWidth, DType::F32);
    for (int i = 0; i < 4; ++i) {  // the third is recorded
      CAPTURE(i);
      const auto values = hash_picture("picture " + std::to_string(i), 1, kHeight, kWidth);
      const std::vector<std::uint8_t> picture(values.begin(), values.end());
      std::vector<std::uint8_t> a(picture.size()), b(picture.size());
      expected.run(picture.data(), a.data());
      found.run(picture.data(), b.data());
      int worst = 0;
      for (std::size_t k = 0; k < a.size(); ++k) worst = std::max(worst, std::abs(int(a[k]) - int(b[k])));
      CHECK(worst <= 1);
      CHECK(std::ranges::count(b, b[0]) < std::ssize(b));
    }
  }
}

}  // namespace chiaro
