// Recorded steps and previews depend on nothing but their inputs: not on who looked at the weights before the
// recording, nor on who changes them between replays.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "apps/training/depth_trainer.hpp"
#include "apps/training/style_trainer.hpp"
#include "engine/checkpoint.hpp"
#include "tests/device_emulated/step_support.hpp"
#include "tests/support/tiny_training.hpp"

namespace chiaro {

namespace {

using test::copy_of;
using test::photos;

constexpr int kSteps = 10;
constexpr std::int64_t kSize = 16;

struct Precision {
  std::string name;
  DType dtype;
  bool tf32 = false;
};
// TF32 is fp32 in the emulator.
std::vector<Precision> precisions() {
  std::vector<Precision> list{{"fp32", DType::F32}, {"bf16", DType::BF16}};
  if (Context(Device::Cuda, 1).description() != "emulated GPU") list.push_back({"tf32", DType::F32, true});
  return list;
}

// Who looks at the weights between the steps. Steps count from 1; the third is recorded.
struct Looks {
  std::string text;
  std::set<int> norms = {};     // before these steps
  std::set<int> previews = {};  // after these steps
};

using Preview = std::vector<std::uint8_t>;

struct Trained {
  std::vector<float> values, first_moments, second_moments, averages;
  std::vector<double> losses, gradient_norms;
  std::vector<double> norms;              // of the terms, as asked for
  std::map<int, Preview> previews;        // by step
  std::map<int, Preview> fresh_previews;  // of the same parameters by a stylizer made for it
};

Image preview_photo(int i) {
  Image photo(kSize, kSize, 3);
  std::ranges::copy(photos(1000 + i, 1, kSize), photo.pixels.begin());
  return photo;
}

// Four photos of one size: a stylizer records the third.
std::vector<Image> preview_photos() {
  return {preview_photo(0), preview_photo(1), preview_photo(2), preview_photo(3)};
}

// In every style.
Preview preview(StyleTrainer& trainer) {
  Preview bytes;
  for (std::size_t style = 0; style < trainer.network().styles.size(); ++style)
    for (const Image& styled : trainer.stylize(preview_photos(), style))
      bytes.insert(bytes.end(), styled.pixels.begin(), styled.pixels.end());
  return bytes;
}

Preview fresh_preview(StyleTrainer& trainer) {
  const WeightsFile file = transform_weights_file(trainer.parameters(), trainer.network(), "{}");
  Preview bytes;
  const test::WithoutRecording plain;
  for (const std::string& style : trainer.network().styles) {
    const TransformModel model = make_transform_model(file, "the trained network", {{style, 1}});
    Stylizer stylizer(trainer.context(), *model.params, model.config, kSize, kSize, trainer.dtype());
    for (const Image& photo : preview_photos()) {
      Image styled(kSize, kSize, 3);
      stylizer.run(photo.pixels.data(), styled.pixels.data());
      bytes.insert(bytes.end(), styled.pixels.begin(), styled.pixels.end());
    }
  }
  return bytes;
}

void take_steps(StyleTrainer& trainer, int first, const Looks& looks, Trained& trained) {
  for (int step = first; step <= kSteps; ++step) {
    if (looks.norms.contains(step))
      for (const double norm : trainer.gradient_norms(photos(100 + step, 2, kSize), step))
        trained.norms.push_back(norm);
    for (const auto& term : trainer.step(step, photos(step, 2, kSize))) trained.losses.push_back(term.raw);
    trained.gradient_norms.push_back(trainer.parameter_gradient_norm());
    if (!looks.previews.contains(step)) continue;
    trained.previews[step] = preview(trainer);
    trained.fresh_previews[step] = fresh_preview(trainer);
  }
  trained.values = copy_of(trainer.params().values());
  trained.first_moments = copy_of(trainer.params().first_moments());
  trained.second_moments = copy_of(trainer.params().second_moments());
  if (trainer.params().has_averages()) trained.averages = copy_of(trainer.params().averages());
}

Trained train(const TrainConfig& config, const Precision& precision, const Looks& looks) {
  Context gpu(Device::Cuda, 1);
  gpu.allow_tf32(precision.tf32);
  StyleTrainer trainer(gpu, config, precision.dtype, {});
  Trained trained;
  take_steps(trainer, 1, looks, trained);
  return trained;
}

// The trained network matters here: the loss network is cut short.
TrainConfig tiny_config(const test::TinyTraining& tiny, const std::string& method) {
  const std::vector<std::string> overrides{
      "data.image_size=" + std::to_string(kSize),
      "loss.style.layers=[\"relu1_1\",\"relu2_1\"]",
      "loss.content.layers=[\"relu2_1\"]",
      "optimizer.method=" + method,
      method == "sgd" ? "optimizer.lr=1e-8" : "optimizer.lr=0.005",
      method == "sgd" ? "model.output=tanh150" : "model.output=scaled150"};
  return load_config(tiny.config(), overrides);
}

}  // namespace

TEST_CASE("recorded steps: ten of them have the bits of eager ones, whoever looks at the weights") {
  const test::TinyTraining tiny, three_styles;
  three_styles.take_three_styles();
  const Looks recorded[] = {
      {"gradient norms before the recorded step", {3}, {}},
      {"a preview before the recorded step", {}, {2}},
      {"previews after the recording", {}, {4, 10}},
      {"gradient norms and previews all the time", {1, 3, 4, 7}, {2, 3, 4, 5, 10}},
  };
  for (const auto& [folder, method] : {std::pair(&tiny, "adam"), {&tiny, "sgd"}, {&three_styles, "adam"}}) {
    TrainConfig config = tiny_config(*folder, method);
    if (config.styles.size() > 1) config.optimizer.average = 0.9;
    for (const Precision& precision : precisions()) {
      const Trained eager = [&] {
        const test::WithoutRecording plain;
        return train(config, precision, recorded[3]);
      }();
      REQUIRE(std::ranges::all_of(eager.values, [](float v) { return std::isfinite(v); }));
      REQUIRE(eager.previews.at(4) != eager.previews.at(5));  // a step is seen
      for (const Looks& looks : recorded) {
        if ((config.styles.size() > 1 || config.optimizer.method == OptimizerMethod::Sgd) &&
            looks.text != recorded[3].text)
          continue;  // the others are parts of it
        CAPTURE(method);
        CAPTURE(config.styles.size());
        CAPTURE(precision.name);
        CAPTURE(looks.text);
        const Trained found = train(config, precision, looks);
        CHECK(found.values == eager.values);
        CHECK(found.first_moments == eager.first_moments);
        CHECK(found.second_moments == eager.second_moments);
        CHECK(found.averages == eager.averages);
        CHECK(found.losses == eager.losses);
        CHECK(found.gradient_norms == eager.gradient_norms);
        if (looks.norms == recorded[3].norms) CHECK(found.norms == eager.norms);
        for (const auto& [step, bytes] : found.previews) {
          CAPTURE(step);
          CHECK(bytes == eager.previews.at(step));
          CHECK(bytes == found.fresh_previews.at(step));
        }
      }
    }
  }
}

TEST_CASE("recorded steps: a checkpoint that is read back between replays is what they go on from") {
  const test::TinyTraining tiny;
  const std::string file = tiny / "checkpoint.h5";
  const TrainConfig config = tiny_config(tiny, "adam");
  const Looks looks{"", {7}, {5, 10}};
  Context gpu(Device::Cuda, 1);
  StyleTrainer trainer(gpu, config, DType::BF16, {}), other(gpu, config, DType::BF16, {});
  for (int step = 1; step <= 4; ++step) trainer.step(step, photos(step, 2, kSize));
  write_checkpoint(file, {.iteration = 4}, trainer.params());
  Trained first, again, resumed;
  take_steps(trainer, 5, looks, first);
  read_checkpoint(file, trainer.params());
  take_steps(trainer, 5, looks, again);
  read_checkpoint(file, other.params());
  take_steps(other, 5, looks, resumed);
  for (const Trained* found : {&again, &resumed}) {
    CHECK(found->values == first.values);
    CHECK(found->first_moments == first.first_moments);
    CHECK(found->losses == first.losses);
    CHECK(found->norms == first.norms);
    CHECK(found->previews == first.previews);
    CHECK(found->previews == found->fresh_previews);
  }
}

TEST_CASE("recorded steps: running statistics and predictions are those of eager steps, every time") {
  TrainConfig config;
  config.task = Task::Depth;
  config.data.batch_size = 2;
  config.depth = {.encoder = Encoder::Resnet50C4, .width = 2, .input_height = 32, .input_width = 48};
  const auto train_depth = [&] {
    Context gpu(Device::Cuda, 1);
    DepthTrainer trainer(gpu, config, DType::F32, {});
    const PictureSize target = trainer.target_size();
    std::vector<std::vector<float>> found;
    for (int step = 1; step <= 6; ++step) {
      DepthBatch batch;
      batch.rgb.assign(2 * 32 * 48 * 3, 0);
      const auto pixels = photos(step, 1, 56);
      for (std::size_t i = 0; i < batch.rgb.size(); ++i) batch.rgb[i] = pixels[i];
      batch.depth.assign(static_cast<std::size_t>(2 * target.height * target.width), 1.f + float(step));
      trainer.step(step, batch);
      found.push_back(copy_of(trainer.statistics().values()));
      if (step % 2 == 0) found.push_back(copy_of(trainer.predict(batch)));
    }
    found.push_back(copy_of(trainer.params().values()));
    return found;
  };
  const auto recorded = train_depth();
  const test::WithoutRecording plain;
  CHECK(recorded == train_depth());
}

}  // namespace chiaro
