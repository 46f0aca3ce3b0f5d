// train.minutes: a run that ends because its time is up, and the same run with more of it.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "apps/training/training_loop.hpp"
#include "engine/checkpoint.hpp"
#include "tests/support/checkpoint_content.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/tiny_depth.hpp"
#include "tests/support/tiny_distill.hpp"
#include "tests/support/tiny_training.hpp"

using namespace chiaro;
using test::contains;
using test::TinyTraining;
using test::Words;

namespace fs = std::filesystem;

namespace {

// So short that it is over before the first iteration, which is made nevertheless.
constexpr const char* kNoTime = "train.minutes=1e-9";
constexpr const char* kNoLimit = "train.minutes=0";

fs::path checkpoint_of(const std::string& run, std::int64_t iteration) {
  return run + fmt::format("/checkpoints/{:06}.h5", iteration);
}

// A task whose iterations take ten seconds of a clock that it moves on itself.
class ClockedTask : public TrainingTask {
 public:
  ClockedTask() {
    params_.add("weight", {1, 1, 1, 1});
    params_.allocate();
  }

  double now = 0;
  std::vector<bool> last;  // what after_step() was told
  std::int64_t finished = -1;

  ParamStore& params() override { return params_; }
  std::int64_t arena_bytes() override { return 0; }
  std::string data_text() const override { return ""; }
  void begin(const RunFolder&, std::int64_t) override {}
  void step(std::int64_t, bool, MetricsLine&) override { now += 10; }
  std::string progress_text() const override { return ""; }
  bool after_step(std::int64_t, bool is_last) override {
    last.push_back(is_last);
    now += 1;  // what comes after an iteration takes time too
    return false;
  }
  std::string skipped_summary() const override { return ""; }
  std::string finish(std::int64_t iterations) override {
    finished = iterations;
    return "";
  }

 private:
  ParamStore params_{ParamStore::Kind::Trainable};
};

}  // namespace

TEST_CASE("run clock: counts from its beginning on top of what was before, up to the limit") {
  double now = 500;
  RunClock clock(2, [&] { return now; });
  CHECK(clock.seconds() == 0);
  CHECK(clock.left() == 120);
  now += 30;
  clock.add(60);
  CHECK(clock.seconds() == 90);
  CHECK(clock.left() == 30);
  CHECK(!clock.time_is_up());
  now += 40;
  CHECK(clock.left() == 0);
  CHECK(clock.time_is_up());
  const RunClock unlimited(0, [&] { return now; });
  now += 1e9;
  CHECK(std::isinf(unlimited.left()));
  CHECK(!unlimited.time_is_up());
}

TEST_CASE(
    "training loop: the run ends at the limit that is nearer, and its checkpoint says how long it took") {
  const test::TemporaryFolder folder;
  Context context(1);
  TrainConfig config;
  config.train.out = folder / "run";
  config.train.checkpoint_every = 4;
  config.train.keep_checkpoints = 100;
  config.train.minutes = 1;
  {
    ClockedTask task;
    const RunClock clock(config.train.minutes, [&] { return task.now; });
    CHECK(TrainingLoop({context, config}, RunFolder::create(config), task, 0, clock).execute() == 0);
    CHECK(task.finished == 6);  // the sixth begins at 55 s and ends at 65
    CHECK(task.last == std::vector<bool>{false, false, false, false, false, true});
  }
  CHECK(read_checkpoint_info(checkpoint_of(config.train.out, 4)).seconds == 44);
  CHECK(read_checkpoint_info(checkpoint_of(config.train.out, 6)).seconds == 66);

  const auto go_on = [&](std::int64_t done) {
    ClockedTask task;
    RunClock clock(config.train.minutes, [&] { return task.now; });
    clock.add(read_checkpoint_info(checkpoint_of(config.train.out, done)).seconds);
    CHECK(TrainingLoop({context, config}, RunFolder::open(config.train.out), task, done, clock).execute() ==
          0);
    return task.finished;
  };
  CHECK(go_on(6) == 6);  // nothing is left
  config.train.minutes = 2;
  CHECK(go_on(6) == 11);  // the eleventh begins at 66 + 44 s
  CHECK(go_on(4) == 11);  // the eleventh begins at 44 + 66 s
  config.train.iterations = 9;
  CHECK(go_on(6) == 9);
}

TEST_CASE("train.minutes: a run whose time is up ends as one whose iterations are, and says so") {
  const TinyTraining tiny;
  const auto result = tiny.train({kNoTime});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(
      result.out ==
      "trained 1 iterations, then the time was up (train.minutes = 1e-09); for more: train_engine --resume " +
          tiny.run() + " --set train.minutes=2e-09\n  model   " + tiny.run() + "/model.h5\n  report  " +
          tiny.run() + "/report.html\n");
  CHECK(contains(result.err, "\n1/12  "));
  CHECK(contains(result.err, " images/s  0s left  style "));
  for (const char* file : {"model.h5", "report.html", "checkpoints/000001.h5", "previews/000001.png"})
    CHECK_MESSAGE(fs::exists(tiny.run() + "/" + file), file);
  CHECK(load_config(tiny.run() + "/config.toml").train.minutes == 1e-9);
  CHECK(read_checkpoint_info(checkpoint_of(tiny.run(), 1)).seconds > 0);
}

TEST_CASE("train.minutes: iterations end the run where they are over sooner") {
  const TinyTraining tiny;
  const auto result = tiny.train({"train.minutes=1000000", "train.iterations=3"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(result.out.starts_with("trained 3 iterations\n  model "));
}

TEST_CASE_TEMPLATE("train.minutes: with more time, or none to keep to, a run goes on to the same bits", Tiny,
                   TinyTraining, test::TinyDepth, test::TinyDistill) {
  const Tiny tiny;
  const Words all{"depth.validation_list=", "train.iterations=7"};  // a validation at the end may be the best
  const auto with = [&](Words more) {
    more.insert(more.end(), all.begin(), all.end());
    return more;
  };
  REQUIRE(tiny.train(with({kNoLimit})).status == 0);
  const std::string model = read_text(tiny.run() + "/model.h5"),
                    checkpoint = test::checkpoint_content(checkpoint_of(tiny.run(), 7));
  fs::remove_all(tiny.run());

  const auto ended = tiny.train(with({kNoTime}));
  REQUIRE_MESSAGE(ended.status == 0, ended.err);
  CHECK(contains(ended.out, "trained 1 iterations, then the time was up"));
  CHECK(read_text(tiny.run() + "/model.h5") != model);
  const auto again = tiny.resume();
  REQUIRE_MESSAGE(again.status == 0, again.err);
  CHECK(contains(again.err, "resuming after iteration 1; 0s of 0s are used\n"));
  CHECK(contains(again.out, "trained 1 iterations, then the time was up"));

  const auto longer = tiny.resume({kNoLimit});
  REQUIRE_MESSAGE(longer.status == 0, longer.err);
  CHECK(longer.out.starts_with("trained 7 iterations\n"));
  CHECK(read_text(tiny.run() + "/model.h5") == model);
  CHECK(test::checkpoint_content(checkpoint_of(tiny.run(), 7)) == checkpoint);
}

TEST_CASE("train.minutes: a run that was interrupted gets the minutes that are left") {
  const TinyTraining tiny;
  const Words overrides{"train.minutes=1000000", "train.iterations=1000000", "train.checkpoint_every=0",
                        "train.preview_every=0"};
  test::ChildProcess process(TinyTraining::program(), tiny.fresh(overrides), tiny / "output");
  // Longer than it takes to begin again; the run goes on until it is interrupted, however slow the machine
  // is.
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  while (process.running() && test::read_metrics(tiny.run()).size() < 3)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  process.send(SIGINT);
  REQUIRE(process.wait() == 130);
  const auto done = static_cast<std::int64_t>(test::read_metrics(tiny.run()).size());
  const double seconds = read_checkpoint_info(checkpoint_of(tiny.run(), done)).seconds;
  CHECK(seconds > 1);

  // As much as it has had: nothing is left.
  const auto used_up = tiny.resume({fmt::format("train.minutes={}", seconds / 60)});
  REQUIRE_MESSAGE(used_up.status == 0, used_up.err);
  CHECK(contains(used_up.out, fmt::format("trained {} iterations, then the time was up", done)));

  const auto longer = tiny.resume({fmt::format("train.iterations={}", done + 2), "train.minutes=1000000"});
  REQUIRE_MESSAGE(longer.status == 0, longer.err);
  CHECK(longer.out.starts_with(fmt::format("trained {} iterations\n", done + 2)));
  CHECK(read_checkpoint_info(checkpoint_of(tiny.run(), done + 2)).seconds > seconds);
  const std::string model = read_text(tiny.run() + "/model.h5");
  fs::remove_all(tiny.run());
  Words whole = overrides;
  whole.push_back(fmt::format("train.iterations={}", done + 2));
  REQUIRE(tiny.train(whole).status == 0);
  CHECK(read_text(tiny.run() + "/model.h5") == model);
}

TEST_CASE("train.minutes: weights that a short trial found are those that a resumed run goes on with") {
  const TinyTraining tiny;
  REQUIRE(tiny.train({kNoTime, "loss.balance=gradient", "loss.depth.share=0"}).status == 0);
  tiny.write("resolved.toml", read_text(tiny.run() + "/config.toml"));
  REQUIRE(tiny.resume({kNoLimit}).status == 0);
  const auto resolved =
      test::run_program(TinyTraining::program(), {tiny / "resolved.toml", "--threads", "1", "--set", kNoLimit,
                                                  "--set", "train.out=" + (tiny / "again")});
  REQUIRE_MESSAGE(resolved.status == 0, resolved.err);
  CHECK(test::repeatable_metrics(tiny / "again") == test::repeatable_metrics(tiny.run()));
}
