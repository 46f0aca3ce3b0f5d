// One program in a run folder; signals, closed streams and moved photos; lines that are not ours.
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tests/failures/jobs.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/compare.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

constexpr const char* kEndless = "train.iterations=1000000";

void wait_for_lines(ChildProcess& process, const std::string& run, std::size_t count) {
  while (process.running() && read_metrics(run).size() < count)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// A shell's words for a program that it becomes.
Words in_shell(const std::string& before, const std::string& program, const Words& words,
               const std::string& after) {
  std::string line = before + " exec " + quoted(program);
  for (const std::string& word : words) line += " " + quoted(word);
  return {"-c", line + " " + after};
}

std::string end_of(const ProgramResult& result) {
  const std::size_t end = result.err.rfind("train_engine: ");
  return end == std::string::npos ? result.err : result.err.substr(end);
}

}  // namespace

TEST_CASE("run folder: a second program is refused while one trains in it") {
  const TinyTraining tiny;
  ChildProcess process(TinyRun::program(), tiny.fresh({kEndless}), tiny / "output");
  wait_for_lines(process, tiny.run(), 1);
  for (const auto& result : {tiny.resume(), tiny.train()}) {
    CHECK(result.status == 1);
    CHECK(contains(result.err, tiny.run() + ": in use by process "));
    CHECK(contains(result.err, " on host "));
  }
  process.send(SIGKILL);
  process.wait();
  CHECK(fs::exists(tiny.run() + "/lock"));  // of nobody
  CHECK(tiny.resume({fmt::format("train.iterations={}", read_metrics(tiny.run()).size() + 5)}).status == 0);
  CHECK(!fs::exists(tiny.run() + "/lock"));
}

TEST_CASE("run folder: a training that cannot begin leaves no folder") {
  const TinyTraining tiny;
  const auto result = tiny.train({"data.train=nowhere", "train.out=" + tiny.path() + "/new/run"});
  CHECK(result.status == 1);
  CHECK(!fs::exists(tiny.path() + "/new"));
}

TEST_CASE("train_engine: a terminal that goes leaves a checkpoint, and nohup is heard") {
  const TinyTraining tiny;
  {
    ChildProcess process(TinyRun::program(), tiny.fresh({kEndless}), tiny / "output");
    wait_for_lines(process, tiny.run(), 2);
    for (int i = 0; i < 3; ++i) process.send(SIGHUP);
    process.send(SIGTERM);
    CHECK(process.wait() == 130);
    const std::size_t done = read_metrics(tiny.run()).size();
    CHECK(fs::exists(tiny.run() + fmt::format("/checkpoints/{:06}.h5", done)));
  }
  ChildProcess process("/bin/sh", in_shell("trap '' HUP;", TinyRun::program(), tiny.resumed({kEndless}), ""),
                       tiny / "output");
  const std::size_t before = read_metrics(tiny.run()).size();
  wait_for_lines(process, tiny.run(), before + 2);
  process.send(SIGHUP);
  wait_for_lines(process, tiny.run(), read_metrics(tiny.run()).size() + 5);
  CHECK(process.running());
}

TEST_CASE("train_engine: nobody has to listen") {
  const TinyTraining tiny;
  REQUIRE(tiny.train().status == 0);
  const RunOutcome expected = run_outcome(tiny.run());
  for (const char* streams : {"2>&-", ">&-", "<&- >&- 2>&-", "2>/dev/full", ">/dev/full", "2>&1 | true"}) {
    CAPTURE(streams);
    fs::remove_all(tiny.run());
    std::string line = quoted(TinyRun::program());
    for (const std::string& word : tiny.fresh()) line += " " + quoted(word);
    CHECK(run_program("/bin/sh", {"-c", line + " " + streams}).status == 0);
    CHECK(run_outcome(tiny.run()) == expected);
    CHECK(names_in(tiny.run() + "/checkpoints") == Words{"000008.h5", "000012.h5"});
  }
}

TEST_CASE("train_engine --resume: photos may move, and may not change") {
  const TinyTraining tiny;
  REQUIRE(tiny.train().status == 0);
  const RunOutcome expected = run_outcome(tiny.run());
  fs::remove_all(tiny.run());
  REQUIRE(tiny.train({"train.iterations=4"}).status == 0);
  fs::rename(tiny.path() + "/photos", tiny.path() + "/moved");
  CHECK(tiny.resume({"train.iterations=12"}).status == 1);
  const std::string moved = "data.train=" + tiny.path() + "/moved";
  tiny.add_picture("moved/5a.png", 40, 40);
  const auto changed = tiny.resume({"train.iterations=12", moved});
  CHECK(changed.status == 1);
  CHECK(end_of(changed) ==
        "train_engine: " + tiny.run() +
            ": was trained on 8 pictures, now there are 9; the first difference: '5a.png', before "
            "'6.png'. Restore them, or begin a new run from this one's model with model.init\n");
  fs::remove(tiny.path() + "/moved/5a.png");
  const auto result = tiny.resume({"train.iterations=12", moved});
  CHECK_MESSAGE(result.status == 0, result.err);
  CHECK(repeatable_metrics(tiny.run()) == expected.metrics);
}

TEST_CASE("train_engine --resume: what is not of this run is named") {
  const TinyTraining tiny;
  REQUIRE(tiny.train({"train.iterations=4"}).status == 0);
  const std::string large = tiny.write("run/checkpoints/99999999999999999999.h5", "");
  CHECK(end_of(tiny.resume()) ==
        "train_engine: " + large +
            ": its number is beyond every iteration, so it is not of this run; remove it\n");
  fs::remove(large);
  const std::string metrics = tiny.run() + "/metrics.jsonl", good = read_text(metrics);
  write_text(metrics, "{\"iteration\":\"x\"}\n" + good);
  CHECK(end_of(tiny.resume()) ==
        "train_engine: " + metrics + ":1: 'iteration' is \"x\", expected an integer; remove the line\n");
  write_text(metrics, "what\n" + good);
  CHECK(end_of(tiny.resume()) == "train_engine: " + metrics + ":1: is not a line of metrics; remove it\n");
  write_text(metrics, good);
  CHECK(tiny.resume().status == 0);
}
