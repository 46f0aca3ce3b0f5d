// train_engine with task = "distill", from the outside: what a run leaves behind, that it learns, that it
// ends with the same bits however it was stopped, and that its network serves as a loss network.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <random>
#include <thread>

#include "kernels/base/context.hpp"
#include "layers/networks/networks.hpp"
#include "tests/support/checkpoint_content.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/tiny_distill.hpp"
#include "tests/support/tiny_training.hpp"
#include "weights_import/weights_import.hpp"

using namespace chiaro;
using test::ChildProcess;
using test::contains;
using test::names_in;
using test::TinyDistill;
using test::Words;

namespace fs = std::filesystem;

namespace {

std::vector<nlohmann::json> with_key(const std::string& run, const char* key) {
  auto lines = test::read_metrics(run);
  std::erase_if(lines, [&](const nlohmann::json& line) { return !line.contains(key); });
  return lines;
}

double mean(const nlohmann::json& by_layer) {
  double sum = 0;
  for (const auto& [layer, value] : by_layer.items()) sum += value.get<double>();
  return sum / static_cast<double>(by_layer.size());
}

}  // namespace

TEST_CASE("train_engine distill: a run leaves metrics, validations, checkpoints, model and report") {
  const TinyDistill tiny;
  const auto result = tiny.train();
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.err, "; 6 photos to train on, 3 to validate; "));
  CHECK(names_in(tiny.run()) == Words{"checkpoints", "config.toml", "data.txt", "metrics.jsonl", "model.h5",
                                      "previews", "report.html"});
  CHECK(names_in(tiny.run() + "/checkpoints") == Words{"000008.h5", "000012.h5"});

  const auto steps = with_key(tiny.run(), "total");
  REQUIRE(steps.size() == 12);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    CHECK(steps[i]["iteration"] == i + 1);
    for (const char* term : {"feature", "gram"}) {
      CHECK(steps[i]["raw"][term].get<double>() > 0);
      CHECK(steps[i]["raw"][term].get<double>() < 1);  // it begins with what the whole network's filters give
    }
    CHECK(steps[i]["lr"].get<double>() == 0.02);
    CHECK(steps[i].contains("parameter_gradient_norm") == (i == 0 || (i + 1) % 5 == 0));
  }
  const auto validations = with_key(tiny.run(), "validation");
  REQUIRE(validations.size() == 3);
  CHECK(validations[0]["iteration"] == 5);
  CHECK(validations[2]["iteration"] == 12);
  for (const char* term : {"feature", "gram"}) {
    const auto& found = validations[2]["validation"][term];
    CHECK(found.size() == 3);
    for (const char* layer : {"relu1_1", "relu2_2", "relu3_1"}) CHECK(found[layer].get<double>() > 0);
  }

  const WeightsFile model = load_network(tiny.run() + "/model.h5", "vgg19");
  CHECK(
      model.architecture ==
      R"({"depth":19,"width":8,"last_conv":"conv3_1","ranks":{"conv1_2":2,"conv2_1":3,"conv2_2":3,"conv3_1":5}})");
  const auto provenance = nlohmann::json::parse(model.provenance);
  CHECK(provenance["iterations"] == 12);
  CHECK(provenance["validation"] == validations[2]["validation"]);
  CHECK_FALSE(contains(model.provenance, fs::temp_directory_path().string()));
  CHECK(contains(result.out, fmt::format("trained 12 iterations\n  model   {}/model.h5\n  errors  feature "
                                         "{:.4f}, gram {:.4f}, on photos held out\n",
                                         tiny.run(), mean(validations[2]["validation"]["feature"]),
                                         mean(validations[2]["validation"]["gram"]))));
  const std::string html = read_text(tiny.run() + "/report.html");
  for (const char* part : {"Weighted loss terms", "Validation: feature", "Validation: gram", ">relu2_2 "})
    CHECK_MESSAGE(contains(html, part), part);
}

TEST_CASE("train_engine distill: with ranks as large as there are channels it begins as the whole network") {
  const TinyDistill tiny;
  // Of 8, 16, 32, ... channels: the second convolution of a block and the first one are left whole, or hold all.
  const auto result =
      tiny.train({"distill.ranks=[7,16,32,64,64]", "train.iterations=1", "distill.validation=[]"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const auto step = test::read_metrics(tiny.run())[0];
  CHECK(step["raw"]["feature"].get<double>() < 0.02);
  CHECK(step["raw"]["gram"].get<double>() < 0.02);
  std::filesystem::remove_all(tiny.run());
  REQUIRE(
      tiny.train({"distill.ranks=[8,16,32,64,64]", "train.iterations=1", "distill.validation=[]"}).status ==
      0);
  CHECK(test::read_metrics(tiny.run())[0]["raw"]["feature"].get<double>() == 0);
}

TEST_CASE("train_engine distill: both errors fall") {
  std::string precision = "fp32";
  SUBCASE("fp32") {}
  SUBCASE("bf16") {
    precision = "bf16";
    if (!Context(1).has_fast_bf16()) return;
  }
  const TinyDistill tiny;
  const auto result = tiny.train({"train.iterations=100", "distill.validate_every=1",
                                  "train.checkpoint_every=0", "train.precision=" + precision});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const auto validations = with_key(tiny.run(), "validation");
  for (const char* term : {"feature", "gram"}) {
    const double first = mean(validations.front()["validation"][term]),
                 last = mean(validations.back()["validation"][term]);
    MESSAGE(precision, " ", std::string(term), ": ", first, " to ", last);
    CHECK(last < (term == std::string("gram") ? 0.9 : 0.95) * first);
  }
}

TEST_CASE("train_engine distill: a weight of 0 leaves its term out") {
  const TinyDistill tiny;
  REQUIRE(tiny.train({"distill.gram_weight=0", "train.iterations=5"}).status == 0);
  for (const auto& line : test::read_metrics(tiny.run())) {
    CHECK(line.contains("validation") ? !line["validation"].contains("gram") : !line["raw"].contains("gram"));
  }
}

TEST_CASE("train_engine distill: killed at random moments, the bits are the same") {
  TinyDistill tiny;
  const Words overrides{"train.iterations=30", "train.checkpoint_every=3", "distill.validate_every=4"};
  REQUIRE(tiny.train(overrides).status == 0);
  const std::string model = read_text(tiny.run() + "/model.h5");
  const std::string checkpoint = test::checkpoint_content(tiny.run() + "/checkpoints/000030.h5");
  const auto metrics = test::repeatable_metrics(tiny.run());
  fs::remove_all(tiny.run());

  std::mt19937 random(1);
  int kills = 0;
  for (; kills < 4; ++kills) {
    const bool begun = fs::exists(tiny.run() + "/metrics.jsonl");
    const std::size_t before = test::read_metrics(tiny.run()).size();
    ChildProcess process(TinyDistill::program(), begun ? tiny.resumed() : tiny.fresh(overrides),
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
  CHECK(test::repeatable_metrics(tiny.run()) == metrics);
  CHECK(read_text(tiny.run() + "/model.h5") == model);
  CHECK(test::checkpoint_content(tiny.run() + "/checkpoints/000030.h5") == checkpoint);
}

TEST_CASE("train_engine distill: Ctrl-C leaves a checkpoint to go on from") {
  const TinyDistill tiny;
  ChildProcess process(TinyDistill::program(), tiny.fresh({"train.iterations=1000000"}), tiny / "output");
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
  CHECK(with_key(tiny.run(), "total").size() == static_cast<std::size_t>(done + 2));
}

TEST_CASE("train_engine distill: the network serves the losses of a style training, in half precision too") {
  const TinyDistill tiny;
  REQUIRE(
      tiny.train({"train.iterations=3", "distill.layers=[\"relu1_1\", \"relu2_1\", \"relu4_2\"]"}).status ==
      0);
  const std::string full = tiny.run() + "/model.h5", half = tiny.path() + "/half.h5";
  REQUIRE(
      test::run_program(test::program_path("import_weights"), {full, "--as", "vgg19", "--half", "-o", half})
          .status == 0);
  CHECK(fs::file_size(half) < 0.75 * static_cast<double>(fs::file_size(full)));

  const test::TinyTraining style;
  const auto result = style.train(
      {"weights.vgg19=" + half, "loss.style.layers=[\"relu1_1\", \"relu2_1\"]", "train.iterations=2"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(test::read_metrics(style.run()).back()["raw"]["style"].get<double>() > 0);
  fs::remove_all(style.run());
  const auto refused = style.train({"weights.vgg19=" + half, "train.iterations=2"});  // wants relu5_1
  CHECK(refused.status == 1);
  CHECK(contains(refused.err, half + ": tensor 'conv4_3."));
}

TEST_CASE("train_engine distill: what is refused") {
  const TinyDistill tiny;
  const auto refusal = [&](const Words& overrides) {
    const auto result = tiny.train(overrides);
    CHECK(result.status == 1);
    CHECK(!fs::exists(tiny.run()));
    return result.err;
  };
  CHECK(refusal({"distill.ranks=[1,2,3]"}) ==
        "train_engine: distill.ranks: 3 numbers, expected 5, one per block\n");
  CHECK(refusal({"distill.ranks=[1,2,2.5,3,3]"}) ==
        "train_engine: distill.ranks: 2.5 is no whole number of at least 1\n");
  CHECK(refusal({"distill.layers=relu3_9"}) ==
        "train_engine: VGG-19 has no layer 'relu3_9'; did you mean 'relu3_1'?\n");
  CHECK(refusal({"distill.feature_weight=0", "distill.gram_weight=0"}) ==
        "train_engine: distill.feature_weight and distill.gram_weight are 0: there is nothing to train "
        "for\n");
  CHECK(contains(refusal({"model.init=" + tiny.vgg()}),
                 tiny.vgg() + ": tensor 'conv1_2.reduce.weight' is missing"));
  CHECK(contains(refusal({"weights.vgg19=" + tiny.path() + "/none.h5"}), "none.h5"));
  CHECK(contains(refusal({"distill.recolor=2"}), "recolor 2 must lie in 0 to 1"));
  CHECK(contains(refusal({"distill.validation=" + tiny.path() + "/none"}), tiny.path() + "/none"));

  REQUIRE(tiny.train({"train.iterations=2"}).status == 0);
  const std::string model = tiny.path() + "/compact.h5";
  fs::rename(tiny.run() + "/model.h5", model);
  CHECK(contains(tiny.resume({"distill.ranks=[1,1,1,1,1]"}).err, ": this would change"));
  fs::remove_all(tiny.run());
  CHECK(refusal({"weights.vgg19=" + model, "distill.layers=relu1_1"}) ==
        "train_engine: " + model + ": is in factors itself; give the whole VGG-19 as weights.vgg19\n");
}

TEST_CASE("train_engine distill: model.init goes on with a network in factors") {
  const TinyDistill tiny;
  REQUIRE(tiny.train({"train.iterations=40", "distill.validate_every=0"}).status == 0);
  const std::string model = tiny.path() + "/start.h5";
  fs::rename(tiny.run() + "/model.h5", model);
  const auto last = with_key(tiny.run(), "validation").back()["validation"];
  fs::remove_all(tiny.run());
  REQUIRE(tiny.train({"model.init=" + model, "train.iterations=1", "optimizer.lr=1e-20"}).status == 0);
  const auto first = with_key(tiny.run(), "validation").back()["validation"];
  for (const char* layer : {"relu1_1", "relu2_2", "relu3_1"})
    CHECK(first["gram"][layer].get<double>() ==
          doctest::Approx(last["gram"][layer].get<double>()).epsilon(1e-4));
}
