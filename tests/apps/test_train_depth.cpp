// train_engine with task = "depth", from the outside: what a run leaves behind, that it learns, and that it
// ends with the same bits however it was stopped.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <random>
#include <thread>

#include "engine/checkpoint.hpp"
#include "kernels/base/context.hpp"
#include "tests/support/checkpoint_content.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/tiny_depth.hpp"
#include "tests/support/tiny_training.hpp"
#include "weights_import/weights_import.hpp"

using namespace chiaro;
using test::ChildProcess;
using test::contains;
using test::names_in;
using test::TinyDepth;
using test::Words;

namespace fs = std::filesystem;

namespace {

std::vector<nlohmann::json> with_key(const std::string& run, const char* key) {
  auto lines = test::read_metrics(run);
  std::erase_if(lines, [&](const nlohmann::json& line) { return !line.contains(key); });
  return lines;
}

// What a finished run must have in common with another: model and preview bit for bit, the checkpoint but for
// the time that it took, the metrics but for the speed.
struct Outcome {
  std::string model, checkpoint, preview;
  std::vector<nlohmann::json> metrics;
  bool operator==(const Outcome&) const = default;
};

Outcome outcome_of(const std::string& run) {
  const auto last = test::read_metrics(run).back()["iteration"].get<std::int64_t>();
  return {read_text(run + "/model.h5"),
          test::checkpoint_content(run + fmt::format("/checkpoints/{:06}.h5", last)),
          read_text(run + fmt::format("/previews/{:06}.png", last)), test::repeatable_metrics(run)};
}

bool lacks_bf16(const std::string& precision) {
  if (precision != "bf16" || Context(1).has_fast_bf16()) return false;
  MESSAGE("skipped: this CPU has no bf16 arithmetic");
  return true;
}

}  // namespace

TEST_CASE("train_engine depth: a run leaves metrics, validations, previews, checkpoints, model and report") {
  const TinyDepth tiny;
  const auto result = tiny.train({"optimizer.decay_every=6"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.err, "; 6 pairs to train on, 3 to validate; "));
  CHECK(names_in(tiny.run()) == Words{"checkpoints", "config.toml", "data.txt", "metrics.jsonl", "model.h5",
                                      "previews", "report.html"});
  CHECK(names_in(tiny.run() + "/checkpoints") == Words{"000008.h5", "000012.h5"});
  CHECK(names_in(tiny.run() + "/previews") == Words{"000005.png", "000010.png", "000012.png"});

  const auto losses = with_key(tiny.run(), "loss");
  REQUIRE(losses.size() == 12);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    CHECK(losses[i]["iteration"] == i + 1);
    CHECK(losses[i]["loss"].get<double>() > 0);
    CHECK(losses[i]["lr"].get<double>() == doctest::Approx(i < 6 ? 1e-2 : 1e-3));
    CHECK(losses[i]["images_per_s"].get<double>() > 0);
    CHECK(losses[i].contains("parameter_gradient_norm") == (i + 1 == 1 || (i + 1) % 5 == 0));
  }
  const auto validations = with_key(tiny.run(), "validation");
  REQUIRE(validations.size() == 3);
  nlohmann::json best;
  for (const auto& line : validations) {
    const auto& found = line["validation"];
    // The network's output is as large as its input; part of the corners without depth is seen.
    CHECK(found["pixels"].get<int>() < 3 * 64 * 96);
    CHECK(found["pixels"].get<int>() > 3 * (64 * 96 - 10 * 10));
    for (const char* name : {"rel", "rms", "log10"}) CHECK(found[name].get<double>() > 0);
    CHECK(found["delta1"].get<double>() <= found["delta2"].get<double>());
    CHECK(found["delta2"].get<double>() <= found["delta3"].get<double>());
    if (best.is_null() || found["delta1"].get<double>() > best["validation"]["delta1"].get<double>())
      best = line;
  }
  CHECK(validations[0]["iteration"] == 5);
  CHECK(validations[2]["iteration"] == 12);

  // model.h5 is the best of them and says so.
  const WeightsFile model = load_network(tiny.run() + "/model.h5", "resnet_upproj");
  CHECK(model.architecture == R"({"width":2,"encoder":"resnet50-c4","padding":"nyu"})");
  CHECK(parse_preprocess(model.preprocess, "model.h5").mean[0] == 123.68);
  const auto provenance = nlohmann::json::parse(model.provenance);
  CHECK(provenance["iterations"] == best["iteration"]);
  CHECK(provenance["validation"] == best["validation"]);
  CHECK(contains(provenance["config"].get<std::string>(), "train_list = 'train.txt'"));
  CHECK_FALSE(contains(model.provenance, fs::temp_directory_path().string()));
  CHECK(contains(result.out, fmt::format("trained 12 iterations\n  model   {}/model.h5\n  best    iteration "
                                         "{}: delta1 {:.4f}, rel ",
                                         tiny.run(), best["iteration"].get<int>(),
                                         best["validation"]["delta1"].get<double>())));

  const Image preview = decode_image(tiny.run() + "/previews/000012.png");
  CHECK(preview.width == 3 * 96 + 2 * 4);
  CHECK(preview.height == 2 * 64 + 4);
  const std::string html = read_text(tiny.run() + "/report.html");
  for (const char* part : {"Depth loss, meters", "<svg", ">loss ", ">delta1 ", "previews/000012.png"})
    CHECK_MESSAGE(contains(html, part), part);
}

TEST_CASE("train_engine depth: training halves the loss and finds depth in color") {
  std::string precision = "fp32";
  Words optimizer{"optimizer.lr=0.01"};
  SUBCASE("fp32") {}
  SUBCASE("bf16") {
    precision = "bf16";
  }
  SUBCASE("momentum SGD") {
    optimizer = {"optimizer.method=sgd", "optimizer.lr=0.1", "optimizer.decay_every=40"};
  }
  if (lacks_bf16(precision)) return;
  const TinyDepth tiny;
  // Width 8: narrower networks have channels without variance, and whether they learn hangs on rounding.
  Words overrides{"depth.width=8",         "train.iterations=60",      "train.precision=" + precision,
                  "train.preview_every=0", "train.checkpoint_every=0", "depth.validate_every=20",
                  "depth.augment=false"};
  overrides.insert(overrides.end(), optimizer.begin(), optimizer.end());
  const auto result = tiny.train(overrides);
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const auto losses = with_key(tiny.run(), "loss");
  REQUIRE(losses.size() == 60);
  const auto mean = [&](std::size_t first) {
    double sum = 0;
    for (std::size_t i = first; i < first + 5; ++i) sum += losses[i]["loss"].get<double>() / 5;
    return sum;
  };
  CHECK(mean(55) < 0.5 * mean(0));
  const auto validations = with_key(tiny.run(), "validation");
  CHECK(validations.back()["validation"]["rel"].get<double>() <
        validations.front()["validation"]["rel"].get<double>());
}

TEST_CASE("train_engine depth: killed at random moments, also around validations, the bits are the same") {
  std::string precision = "fp32";
  int threads = 1, iterations = 30, most_kills = 5;
  SUBCASE("fp32") {}
  SUBCASE("bf16, two threads") {
    precision = "bf16";
    threads = 2, iterations = 12, most_kills = 3;
  }
  if (lacks_bf16(precision)) return;
  TinyDepth tiny;
  tiny.threads = threads;
  const Words overrides{fmt::format("train.iterations={}", iterations), "train.checkpoint_every=3",
                        "train.preview_every=8", "depth.validate_every=4", "train.precision=" + precision};
  REQUIRE(tiny.train(overrides).status == 0);
  const Outcome expected = outcome_of(tiny.run());
  fs::remove_all(tiny.run());

  std::mt19937 random(precision == "fp32" ? 1 : 2);
  int kills = 0;
  for (; kills < most_kills; ++kills) {
    const bool begun = fs::exists(tiny.run() + "/metrics.jsonl");
    const std::size_t before = test::read_metrics(tiny.run()).size();
    ChildProcess process(TinyDepth::program(), begun ? tiny.resumed() : tiny.fresh(overrides),
                         tiny / "output");
    const std::size_t lines = before + 1 + random() % 4;
    while (process.running() && test::read_metrics(tiny.run()).size() < lines)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 8000));
    process.send(SIGKILL);
    if (process.wait() != -1) break;  // it was quicker
  }
  CHECK(kills >= 2);
  const auto result = tiny.resume();
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.err, "resuming after iteration "));
  const Outcome resumed = outcome_of(tiny.run());
  CHECK(resumed.metrics == expected.metrics);
  CHECK(resumed.model == expected.model);
  CHECK(resumed.checkpoint == expected.checkpoint);
  CHECK(resumed.preview == expected.preview);
}

TEST_CASE("train_engine depth: Ctrl-C leaves a checkpoint to go on from") {
  const TinyDepth tiny;
  ChildProcess process(TinyDepth::program(), tiny.fresh({"train.iterations=1000000"}), tiny / "output");
  while (process.running() && test::read_metrics(tiny.run()).size() < 7)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  process.send(SIGINT);
  REQUIRE(process.wait() == 130);
  const auto done = test::read_metrics(tiny.run()).back()["iteration"].get<std::int64_t>();
  CHECK(contains(read_text(tiny / "output"),
                 fmt::format("stopped after iteration {}; continue with: train_engine --resume {}\n", done,
                             tiny.run())));
  const auto result = tiny.resume({fmt::format("train.iterations={}", done + 2)});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.err, fmt::format("resuming after iteration {}\n", done)));
  CHECK(with_key(tiny.run(), "loss").size() == static_cast<std::size_t>(done + 2));
}

TEST_CASE("train_engine depth: a run that goes on keeps the best model until there is a better one") {
  const TinyDepth tiny;
  REQUIRE(tiny.train({"train.iterations=5", "train.checkpoint_every=0"}).status == 0);
  const std::string model = read_text(tiny.run() + "/model.h5");
  std::string metrics;
  for (auto line : test::read_metrics(tiny.run())) {
    if (line.contains("validation")) line["validation"]["delta1"] = 0.99;  // hard to beat
    metrics += line.dump() + "\n";
  }
  tiny.write("run/metrics.jsonl", metrics);
  const auto result = tiny.resume({"train.iterations=12"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.out, "\n  best    iteration 5: delta1 0.9900, rel "));
  CHECK(with_key(tiny.run(), "validation").size() == 3);
  CHECK(read_text(tiny.run() + "/model.h5") == model);

  // A model that is gone is made again from the best network that there still is: the last.
  fs::remove(tiny.run() + "/model.h5");
  const auto again = tiny.resume();
  REQUIRE_MESSAGE(again.status == 0, again.err);
  CHECK(contains(again.out, "\n  best    iteration 12: "));
  CHECK(nlohmann::json::parse(read_weights(tiny.run() + "/model.h5").provenance)["iterations"] == 12);
}

TEST_CASE("train_engine depth: without a validation list the last network is the model") {
  const TinyDepth tiny;
  fs::remove(tiny.path() + "/data/val.txt");
  const auto result = tiny.train({"depth.validation_list=", "train.iterations=3", "depth.augment=false"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(with_key(tiny.run(), "validation").empty());
  CHECK_FALSE(contains(result.out, "best"));
  const WeightsFile model = read_weights(tiny.run() + "/model.h5");
  CHECK(nlohmann::json::parse(model.provenance)["iterations"] == 3);
}

TEST_CASE("train_engine depth: a trained network is trained on with model.init") {
  const TinyDepth tiny;
  REQUIRE(tiny.train({"depth.width=8", "train.iterations=60", "optimizer.lr=0.01", "depth.validate_every=0",
                      "depth.augment=false"})
              .status == 0);
  const std::string model = tiny.path() + "/start.h5";
  fs::rename(tiny.run() + "/model.h5", model);
  const auto before = with_key(tiny.run(), "loss");
  fs::remove_all(tiny.run());
  const auto result =
      tiny.train({"depth.width=8", "train.iterations=1", "depth.augment=false", "model.init=" + model});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(with_key(tiny.run(), "loss")[0]["loss"].get<double>() < 0.6 * before[0]["loss"].get<double>());

  // The first line is about the network that it starts with, however often it is started.
  const auto start = nlohmann::json::parse(load_network(model, "resnet_upproj").provenance);
  const auto first_line = [&] {
    const auto lines = test::read_metrics(tiny.run());
    CHECK(lines.at(1)["iteration"] == 1);
    return lines.at(0);
  };
  CHECK(first_line() == nlohmann::json{{"iteration", 0}, {"validation", start["validation"]}});
  fs::remove_all(tiny.run() + "/checkpoints");
  fs::create_directory(tiny.run() + "/checkpoints");
  fs::remove(tiny.run() + "/model.h5");
  REQUIRE(tiny.resume().status == 0);
  CHECK(first_line()["validation"] == start["validation"]);

  fs::remove_all(tiny.run());
  const auto refused = tiny.train({"depth.width=3", "model.init=" + model});
  CHECK(refused.status == 1);
  CHECK(contains(refused.err, model + ": holds a depth network {\"width\":8,\"encoder\":\"resnet50-c4\","));
  CHECK(contains(refused.err, "but the configuration's [depth] is {\"width\":3,"));
}

TEST_CASE("train_engine depth: the trained network serves as the depth loss of a style training") {
  const TinyDepth depth;
  REQUIRE(depth.train({"train.iterations=3", "depth.decoder_width=24", "depth.up_projections=3"}).status ==
          0);
  CHECK(read_weights(depth.run() + "/model.h5").architecture ==
        R"({"width":2,"encoder":"resnet50-c4","padding":"nyu","decoder_width":24,"up_projections":3})");
  const test::TinyTraining style;
  const auto result = style.train(
      {"loss.depth.weight=1", "train.iterations=2", "weights.resnet_upproj=" + depth.run() + "/model.h5"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(test::read_metrics(style.run()).back()["raw"]["depth"].get<double>() > 0);
}

TEST_CASE("train_engine depth: a loss that is not finite stops the run with one line") {
  const TinyDepth tiny;
  const auto result = tiny.train({"optimizer.lr=1e30", "optimizer.method=sgd", "train.iterations=50",
                                  "depth.validation_list=", "train.preview_every=0"});
  CHECK(result.status == 1);
  CHECK(contains(result.err,
                 "; the run is stopped, there is no checkpoint yet. A lower optimizer.lr may "
                 "help\n"));
  CHECK(!fs::exists(tiny.run() + "/model.h5"));
}

TEST_CASE("train_engine depth: what is refused") {
  const TinyDepth tiny;
  const auto refusal = [&](const Words& overrides) {
    const auto result = tiny.train(overrides);
    CHECK(result.status == 1);
    CHECK(!fs::exists(tiny.run()));
    return result.err;
  };
  CHECK(refusal({"data.train=[\"a\", \"b\"]"}) ==
        "train_engine: data.train names 2 folders, expected one with rgb/ and depth/ for task = \"depth\"\n");
  CHECK(contains(refusal({"data.train=" + tiny.path() + "/none"}), tiny.path() + "/none"));
  CHECK(contains(refusal({"depth.train_list=none.txt"}), "none.txt"));
  CHECK(contains(refusal({"depth.encoder_weights=" + tiny.path() + "/none.h5"}), "none.h5"));
  CHECK(contains(refusal({"depth.encoder_weights=" + tiny.config()}), tiny.config()));
  CHECK(contains(refusal({"depth.encoder=resnet18"}), "expected \"resnet50\" or \"resnet50-c4\""));
  CHECK(
      contains(refusal({"depth.max_scale=0.5"}), "scales up to 0.5 and rotations up to 5 degrees, expected"));
  CHECK(contains(refusal({"depth.overall_gain=2"}), "overall gain 2 and mirror probability 0.5 must lie in"));
  CHECK(contains(refusal({"depth.input_height=16"}), "expected a whole number from 32 to 4096"));

  REQUIRE(tiny.train({"train.iterations=2"}).status == 0);
  for (const std::string text : {"depth.augment=false", "optimizer.lr=1", "depth.validate_every=1"})
    CHECK(contains(tiny.resume({text}).err, "--resume with --set " + text + ": this would change the run's"));
}
