// The measures of a validation, and which one counts as the best.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "apps/evaluate/depth_scores.hpp"
#include "apps/training/depth_validation.hpp"
#include "apps/training/optimizer.hpp"
#include "engine/io/weights_file.hpp"
#include "tests/support/picture_folder.hpp"

using namespace chiaro;

TEST_CASE("depth scores: worked numbers, over the pixels of all pictures that have a depth") {
  DepthScoreSum sum;
  CHECK(sum.scores().pixels == 0);
  sum.add(std::vector<float>{1, 3, 7}, std::vector<float>{1, 2, 0});  // ratios 1 and 1.5
  sum.add(std::vector<float>{2, -1}, std::vector<float>{4, 1});       // 2, and 1 cm for 1 m
  const DepthScores scores = sum.scores();
  CHECK(scores.pixels == 4);
  CHECK(scores.rel == doctest::Approx((0 + 0.5 + 0.5 + 0.99) / 4));
  CHECK(scores.rms == doctest::Approx(std::sqrt((0 + 1 + 4 + 0.99 * 0.99) / 4)));
  CHECK(scores.log10 == doctest::Approx((0 + std::log10(1.5) + std::log10(2) + 2) / 4));
  CHECK(scores.delta == std::array{0.25, 0.5, 0.5});  // below 1.25, 1.5625, 1.953
}

TEST_CASE("depth scores: a prediction that is not a number shows") {
  DepthScoreSum sum;
  sum.add(std::vector<float>{NAN}, std::vector<float>{1});
  CHECK(std::isnan(sum.scores().rel));
  CHECK(sum.scores().delta[2] == 0);
  CHECK(to_json(sum.scores())["rel"].dump() == "null");
}

TEST_CASE("depth scores: the first of equally good validations is the best") {
  const Validation first{5, {.delta = {0.5, 0, 0}}}, same{10, {.delta = {0.5, 0, 0}}},
      better{15, {.delta = {0.6, 0, 0}}};
  CHECK(first.better_than({}));
  CHECK_FALSE(same.better_than(first));
  CHECK(better.better_than(first));
}

TEST_CASE("depth scores: the best validation is known from a run's files, if its model is there") {
  const test::PictureFolder files;
  files.write("run/config.toml", "");
  const RunFolder run = RunFolder::open(files.path() + "/run");
  CHECK_FALSE(best_validation(run));
  const std::string lines =
      R"({"iteration":5,"validation":{"pixels":9,"rel":null,"delta1":0.5}})"
      "\nnonsense\n"
      R"({"iteration":9,"loss":1.0})"
      "\n"
      R"({"iteration":10,"validation":{"pixels":9,"rel":0.25,"rms":1.5,"log10":0.125,"delta1":0.75,"delta2":0.8,"delta3":0.9}})"
      "\n"
      R"({"iteration":15,"validation":{"pixels":9,"delta1":0.75}})"
      "\n";
  files.write("run/metrics.jsonl", lines);
  CHECK_FALSE(best_validation(run));  // no model
  const auto write_model = [&](int iteration) {
    write_weights(run.model_file(), {.kind = "resnet_upproj",
                                     .preprocess = to_json(Preprocess{}),
                                     .provenance = fmt::format("{{\"iterations\":{}}}", iteration)});
  };
  write_model(10);
  const auto best = best_validation(run);
  REQUIRE(best);
  CHECK(best->iteration == 10);
  CHECK(best->scores.pixels == 9);
  CHECK(best->scores.rel == 0.25);
  CHECK(best->scores.rms == 1.5);
  CHECK(best->scores.log10 == 0.125);
  CHECK(best->scores.delta == std::array{0.75, 0.8, 0.9});
  write_model(20);  // of a validation that is to come again
  CHECK_FALSE(best_validation(run));
  files.write("run/model.h5", "something else");
  CHECK_FALSE(best_validation(run));
}

TEST_CASE("optimizer: the learning rate falls in steps") {
  OptimizerConfig config{.lr = 0.5, .warmup = 0, .decay_every = 3, .decay = 0.1};
  CHECK(learning_rate(config, 1, 100) == 0.5);
  CHECK(learning_rate(config, 3, 100) == 0.5);
  CHECK(learning_rate(config, 4, 100) == doctest::Approx(0.05));
  CHECK(learning_rate(config, 7, 100) == doctest::Approx(0.005));
  config.decay_every = 0;
  CHECK(learning_rate(config, 1000, 100) == 0.5);
}
