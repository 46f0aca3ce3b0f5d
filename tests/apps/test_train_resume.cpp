// train_engine --resume: a run that was stopped, however it was stopped, ends with the bits of one that was
// not.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <thread>

#include "engine/checkpoint.hpp"
#include "kernels/base/context.hpp"
#include "tests/support/checkpoint_content.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/tiny_training.hpp"

using namespace chiaro;
using test::ChildProcess;
using test::contains;
using test::names_in;
using test::TinyTraining;
using test::Words;

namespace fs = std::filesystem;

namespace {

// What a finished run must have in common with another: the model bit for bit, the checkpoint but for the
// time that it took, the metrics but for the speed.
struct Outcome {
  std::string model, checkpoint;
  std::vector<nlohmann::json> metrics;
  bool operator==(const Outcome&) const = default;
};

// checkpoints/000012.h5 for 12.
std::string checkpoint_of(const std::string& run, std::size_t iteration) {
  return run + fmt::format("/checkpoints/{:06}.h5", iteration);
}

Outcome outcome_of(const std::string& run) {
  const auto metrics = test::repeatable_metrics(run);
  return {read_text(run + "/model.h5"), test::checkpoint_content(checkpoint_of(run, metrics.size())),
          metrics};
}

// The run without interruption; its folder is gone afterwards, so that another can have the same name.
Outcome uninterrupted(const TinyTraining& tiny, const Words& overrides) {
  const auto result = tiny.train(overrides);
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const Outcome outcome = outcome_of(tiny.run());
  fs::remove_all(tiny.run());
  return outcome;
}

// Returns when metrics.jsonl has `count` lines or the program has ended.
void wait_for_lines(ChildProcess& process, const std::string& run, std::size_t count) {
  while (process.running() && test::read_metrics(run).size() < count)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

constexpr int kSigintStatus = 130;
// For runs that a signal ends.
constexpr const char* kEndless = "train.iterations=1000000";

// Continues the stopped run by a few iterations and compares it with one that was never stopped.
void check_same_as_uninterrupted(const TinyTraining& tiny, Words overrides) {
  const std::size_t done = test::read_metrics(tiny.run()).size();
  const std::string end = fmt::format("train.iterations={}", done + 5);
  const auto result = tiny.resume({end});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.err, "resuming after iteration "));
  const Outcome resumed = outcome_of(tiny.run());
  fs::remove_all(tiny.run());
  overrides.push_back(end);
  CHECK(resumed == uninterrupted(tiny, overrides));
}

}  // namespace

TEST_CASE("train_engine --resume: killed at random moments, the results have the same bits") {
  std::string precision = "fp32";
  int threads = 1;
  SUBCASE("fp32") {}
  SUBCASE("fp32, two threads") {
    threads = 2;
  }
  SUBCASE("bf16, two threads") {
    precision = "bf16";
    threads = 2;
  }
  if (precision == "bf16" && !Context(1).has_fast_bf16()) {
    MESSAGE("skipped: this CPU has no bf16 arithmetic");
    return;
  }
  TinyTraining tiny;
  tiny.threads = threads;
  const Words overrides{kEndless, "train.checkpoint_every=3", "train.preview_every=7",
                        "train.precision=" + precision};
  constexpr int kKills = 6;
  std::mt19937 random(precision == "fp32" ? 1 : 2);
  for (int i = 0; i < kKills; ++i) {
    const bool begun = fs::exists(tiny.run() + "/metrics.jsonl");
    const std::size_t before = test::read_metrics(tiny.run()).size();
    ChildProcess process(TinyTraining::program(), begun ? tiny.resumed() : tiny.fresh(overrides),
                         tiny / "output");
    wait_for_lines(process, tiny.run(), before + 1 + random() % 6);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 8000));
    process.send(SIGKILL);
    REQUIRE(process.wait() == -1);
  }
  check_same_as_uninterrupted(tiny, overrides);
}

TEST_CASE("train_engine --resume: after Ctrl-C") {
  const TinyTraining tiny;
  const Words overrides{kEndless, "train.checkpoint_every=0", "train.preview_every=0"};
  const std::string output = tiny / "output";
  ChildProcess process(TinyTraining::program(), tiny.fresh(overrides), output);
  wait_for_lines(process, tiny.run(), 4);
  process.send(SIGINT);
  REQUIRE(process.wait() == kSigintStatus);
  const std::size_t done = test::read_metrics(tiny.run()).size();
  CHECK(contains(read_text(output),
                 fmt::format("stopped after iteration {}; continue with: train_engine --resume {}\n", done,
                             tiny.run())));
  CHECK(read_checkpoint_info(checkpoint_of(tiny.run(), done)).iteration == static_cast<std::int64_t>(done));
  CHECK(!fs::exists(tiny.run() + "/model.h5"));
  check_same_as_uninterrupted(tiny, overrides);
}

TEST_CASE("train_engine --resume: damaged checkpoints, cut-off lines and leftovers") {
  const TinyTraining tiny;
  REQUIRE(tiny.train({"train.keep_checkpoints=1000", "train.preview_every=0"}).status == 0);
  const Outcome expected = outcome_of(tiny.run());
  const std::string newest = checkpoint_of(tiny.run(), 12), before = checkpoint_of(tiny.run(), 8),
                    oldest = checkpoint_of(tiny.run(), 4), backup = tiny.path() + "/backup";
  fs::rename(tiny.run(), backup);

  const auto write = [](const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  };
  const std::string next = "; trying the checkpoint before it\n";
  struct Case {
    std::function<void()> damage;
    std::string said;
  };
  const Case cases[] = {{[&] { fs::resize_file(newest, fs::file_size(newest) / 2); }, next},
                        {[&] { fs::resize_file(newest, 0); }, next},
                        {[&] { write(newest, "<html>"); }, next},
                        {[&] {
                           std::string bytes = read_text(newest);
                           bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
                           write(newest, bytes);
                         },
                         newest + ": damaged: its checksum is not that of its values" + next},
                        {[&] {
                           write(newest, "x");
                           write(before, "x");
                         },
                         "resuming after iteration 4\n"},
                        {[&] {
                           fs::remove(newest);
                           std::ofstream(tiny.run() + "/metrics.jsonl", std::ios::app)
                               << "{\"iteration\":13,\"ra";
                           write(newest + ".partial-1-0", "half");
                           write(tiny.run() + "/model.h5.partial-1-0", "half");
                           write(tiny.run() + "/previews/000009.png.partial-1-0", "half");
                         },
                         "resuming after iteration 8\n"},
                        {[&] {
                           for (const auto& file : {newest, before, oldest}) fs::remove(file);
                         },
                         "the run stopped before its first checkpoint; starting from the beginning\n"}};
  for (const Case& c : cases) {
    fs::remove_all(tiny.run());
    fs::copy(backup, tiny.run(), fs::copy_options::recursive);
    fs::remove(tiny.run() + "/model.h5");
    c.damage();
    const auto result = tiny.resume();
    CAPTURE(result.err);
    REQUIRE(result.status == 0);
    CHECK(contains(result.err, c.said));
    if (c.said.ends_with(next)) CHECK(contains(result.err, "resuming after iteration 8\n"));
    CHECK(outcome_of(tiny.run()) == expected);
  }
}

TEST_CASE("train_engine --resume: rotation does not count a damaged checkpoint as the newest") {
  const TinyTraining tiny;
  REQUIRE(tiny.train({"train.preview_every=0"}).status == 0);
  tiny.write("run/checkpoints/000012.h5", "damaged");
  const auto result =
      tiny.resume({"train.iterations=11", "train.checkpoint_every=1", "train.keep_checkpoints=1"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(names_in(tiny.run() + "/checkpoints") == Words{"000011.h5", "000012.h5"});
  CHECK(read_checkpoint_info(checkpoint_of(tiny.run(), 11)).iteration == 11);
}

TEST_CASE("train_engine --resume: a run can be made longer, not shorter") {
  const TinyTraining tiny;
  const Outcome expected = uninterrupted(tiny, {"train.iterations=20"});
  REQUIRE(tiny.train().status == 0);
  const auto longer = tiny.resume({"train.iterations=20"});
  CHECK(longer.status == 0);
  CHECK(contains(longer.out, "trained 20 iterations\n"));
  CHECK(outcome_of(tiny.run()) == expected);

  const auto shorter = tiny.resume({"train.iterations=5"});
  CHECK(shorter.status == 1);
  CHECK(shorter.err == "train_engine: " + tiny.run() +
                           ": has 20 iterations already, train.iterations = 5 cannot take them back\n");
  CHECK(outcome_of(tiny.run()) == expected);
  CHECK(tiny.resume().status == 0);  // nothing is left to do
  CHECK(outcome_of(tiny.run()) == expected);
}

TEST_CASE(
    "train_engine --resume: needs neither the model that the run began with nor the folder's old place") {
  const TinyTraining tiny;
  REQUIRE(tiny.train({"train.iterations=2"}).status == 0);
  const std::string start = tiny.path() + "/start.h5";
  fs::rename(tiny.run() + "/model.h5", start);
  fs::remove_all(tiny.run());
  REQUIRE(tiny.train({"train.iterations=2", "model.init=" + start}).status == 0);
  fs::remove(start);
  fs::rename(tiny.run(), tiny.path() + "/moved");
  const auto result = test::run_program(
      TinyTraining::program(),
      {"--resume", tiny.path() + "/moved/", "--threads", "1", "--set", "train.iterations=3"});
  CHECK_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.out, tiny.path() + "/moved/model.h5"));
  CHECK(!fs::exists(tiny.run()));
}

TEST_CASE("train_engine --resume: what is refused") {
  const TinyTraining tiny;
  REQUIRE(tiny.train({"train.iterations=2"}).status == 0);
  const auto refusal = [](const Words& words) {
    const auto result = test::run_program(TinyTraining::program(), words);
    CHECK(result.status != 0);
    return result.err;
  };
  for (const std::string text :
       {"optimizer.lr=0.1", "seed=3", "loss.style.weight = 1", "train.out=elsewhere", "nonsense=1"})
    CHECK(
        refusal(tiny.resumed({text})) ==
        "train_engine: --resume with --set " + text +
            ": this would change the run's results; start a new run, for example from this one's model with "
            "model.init\n");
  CHECK(refusal({"--resume", tiny.run(), "--precision", "bf16"}) ==
        "train_engine: --resume with --precision: a run keeps the precision that it started with\n");
  CHECK(refusal({"--resume", tiny.path() + "/none"}) ==
        "train_engine: " + tiny.path() + "/none: no such run folder\n");
  CHECK(refusal({"--resume", tiny.path() + "/photos"}) ==
        "train_engine: " + tiny.path() + "/photos: not the folder of a run: it has no config.toml\n");
  CHECK(refusal({"--resume", tiny.config()}) == "train_engine: " + tiny.config() + ": no such run folder\n");
  CHECK(refusal({tiny.config(), "--resume", tiny.run()}) != "");
  CHECK(refusal(tiny.fresh()) == "train_engine: " + tiny.run() +
                                     ": already holds a run; continue it with --resume " + tiny.run() +
                                     " or choose another train.out\n");

  tiny.write("run/checkpoints/000002.h5", "damaged");
  const std::string all_damaged = refusal(tiny.resumed());
  CHECK(contains(all_damaged, "train_engine: " + tiny.run() +
                                  ": none of its checkpoints can be read; start again with another "
                                  "train.out\n"));
}

TEST_CASE("resume: several styles with running averages end with the bits of a run that was not stopped") {
  TinyTraining tiny;
  tiny.take_three_styles();
  const Words overrides{"optimizer.average=0.9", "optimizer.warmup=5"};
  REQUIRE(tiny.train(overrides).status == 0);
  check_same_as_uninterrupted(tiny, overrides);
}

TEST_CASE("resume: a cosine schedule has used the length of its run") {
  const TinyTraining tiny;
  REQUIRE(tiny.train({"optimizer.schedule=cosine"}).status == 0);
  const auto result = tiny.resume({"train.iterations=20"});
  CHECK(result.status == 1);
  CHECK(contains(result.err,
                 "--resume with --set train.iterations=20: optimizer.schedule = \"cosine\" has used"));
}
