// loss.balance = "gradient": shares in, weights out.
#include <doctest/doctest.h>

#include "apps/training/balance.hpp"
#include "apps/training/config.hpp"
#include "tests/support/compare.hpp"
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
  REQUIRE(norms.size() == 4);
  sum -= norms["range"];  // outside of the shares
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
  CHECK(resolved.loss.balance == Balance::Weights);
  CHECK(resolved.loss.style.weight == doctest::Approx(100));
  CHECK(resolved.loss.content().weight > 0);
  CHECK(resolved.loss.depth().weight == 0);

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

TEST_CASE("loss.balance: the trial says how far it is") {
  const TinyTraining tiny;
  const auto result = tiny.train(with(kShares, {"train.iterations=1"}));
  REQUIRE_MESSAGE(result.status == 0, result.err);
  // Three terms and the range: a batch measured, then twice 25 iterations and three batches measured.
  CHECK(contains(result.err, "balancing the losses: 0 of 78 steps, ? left\n"));
  CHECK(
      contains(result.err, "balancing the losses: 78 of 78 steps, 0s left\nweights from shares: style 100"));
  CHECK(!contains(result.err, "note: train.minutes"));
}

TEST_CASE("loss.balance: where the run is short, the trial measures at least once and says what is missing") {
  const TinyTraining tiny;
  const auto result = tiny.train(with(kShares, {"train.minutes=1e-9"}));
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(
      contains(result.err,
               "\nnote: train.minutes leaves the balancing of the losses 0s: 0 of its 50 iterations, so the "
               "shares may come out less exactly\nweights from shares: style 100, content "));
  const TrainConfig resolved = load_config(tiny.run() + "/config.toml");
  CHECK(resolved.loss.balance == Balance::Weights);
  CHECK(resolved.loss.content().weight > 0);
}

TEST_CASE("loss.balance: the trial takes about a fifth of the run") {
  const TinyTraining tiny;
  Context context(1);
  const TrainConfig config = load_config(tiny.config(), kShares);
  // A clock that is one second later whenever someone looks.
  const auto seconds_of_trial = [&](double minutes) {
    double now = 0;
    const RunClock clock(minutes, [&] { return now += 1; });
    const TrainConfig balanced =
        balance_losses(context, config, open_photo_source(config.data.train), DType::F32, {}, clock);
    CHECK(balanced.loss.content().weight > 0);
    return clock.seconds();
  };
  const double whole = seconds_of_trial(0);
  REQUIRE(whole > 100);
  const double minutes = whole / 60;
  const double cut = seconds_of_trial(minutes);
  CAPTURE(whole);
  CAPTURE(cut);
  CHECK(cut > 0.15 * whole);
  CHECK(cut < 0.25 * whole);
  CHECK(seconds_of_trial(10 * minutes) == whole);
}
