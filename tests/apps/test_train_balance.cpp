// loss.balance = "gradient": shares in, weights out.
#include <doctest/doctest.h>

#include "engine/config/config.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/tiny_training.hpp"

using namespace chiaro;
using test::contains;
using test::TinyTraining;

namespace {

const test::Words kShares{"loss.balance=gradient", "loss.style.share=0.5", "loss.content.share=0.3",
                          "loss.depth.share=0",    "loss.tv.share=0.2",    "train.gradient_norms_every=1"};

test::Words with(test::Words words, const test::Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

TEST_CASE("loss.balance: after the trial, the terms' gradients have about the shares that were asked for") {
  const TinyTraining tiny;
  constexpr int kIterations = 60;
  const auto result = tiny.train(with(kShares, {"train.iterations=60"}));
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.err, "weights from shares: style 100, content "));
  std::map<std::string, double> norms;
  double sum = 0;
  for (const auto& line : test::read_metrics(tiny.run())) {
    if (line["iteration"] < kIterations - 20) continue;
    for (const auto& [term, norm] : line["gradient_norms"].items()) {
      norms[term] += norm.get<double>();
      sum += norm.get<double>();
    }
  }
  REQUIRE(norms.size() == 3);
  for (const auto& [term, share] : {std::pair{"style", 0.5}, {"content", 0.3}, {"tv", 0.2}}) {
    const std::string name = term;
    CAPTURE(name);
    MESSAGE(name, ": share ", norms[name] / sum, ", asked for ", share);
    CHECK(norms[name] / sum > share / 2);
    CHECK(norms[name] / sum < share * 2);
  }
}

TEST_CASE("loss.balance: the resolved configuration has the weights, and trains the same network") {
  const TinyTraining tiny;
  REQUIRE(tiny.train(with(kShares, {"train.iterations=6"})).status == 0);
  const TrainConfig resolved = load_config(tiny.run() + "/config.toml");
  CHECK(resolved.loss.balance == "weights");
  CHECK(resolved.loss.style.weight == doctest::Approx(100));
  CHECK(resolved.loss.content.weight > 0);
  CHECK(resolved.loss.depth.weight == 0);

  const std::string balanced = read_text(tiny.run() + "/metrics.jsonl");
  const auto config = tiny / "resolved.toml";
  tiny.write("resolved.toml", read_text(tiny.run() + "/config.toml"));
  const auto again = test::run_program(TinyTraining::program(),
                                       {config, "--threads", "1", "--set", "train.out=" + (tiny / "again")});
  REQUIRE_MESSAGE(again.status == 0, again.err);
  const auto first = test::read_metrics(tiny.run()), second = test::read_metrics(tiny / "again");
  REQUIRE(first.size() == second.size());
  for (std::size_t i = 0; i < first.size(); ++i) CHECK(first[i]["total"] == second[i]["total"]);
}

TEST_CASE("loss.balance: what cannot be balanced is refused, and no run folder is made") {
  const TinyTraining tiny;
  const auto none = tiny.train(
      {"loss.balance=gradient", "loss.style.share=0", "loss.content.share=0", "loss.depth.share=0"});
  CHECK(none.status == 1);
  CHECK(contains(none.err, "loss.balance = \"gradient\": every share is 0: there is nothing to train for"));
  CHECK(!std::filesystem::exists(tiny.run()));
}
