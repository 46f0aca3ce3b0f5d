// Every call that brings something to the disk fails once, and from then on: the program says so in one line, keeps the
// old files, and the next one finds nothing in its way. Here a few of the calls; all of them, with every error:
//   FAILURES=all tests/test_failures -tc="*fails*"
#include <cerrno>

#include "tests/failures/jobs.hpp"
#include "tests/support/compare.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

// A way to fail.
struct Way {
  int call = 0;
  int error = 0;      // of errno; 0: half of the bytes are written
  bool rest = false;  // all calls after it too
};

ProgramResult run_failing(const std::string& program, const Words& words, const Way& way,
                          const std::string& count = "") {
  Words all{"LD_PRELOAD=" CHIARO_FAILING_CALLS, "FAIL_CALL=" + std::to_string(way.call),
            "FAIL_ERRNO=" + std::to_string(way.error), "OMP_WAIT_POLICY=passive"};
  if (way.rest) all.push_back("FAIL_REST=1");
  if (!count.empty()) all.push_back("FAIL_COUNT=" + count);
  all.push_back(program);
  all.insert(all.end(), words.begin(), words.end());
  return run_program("/usr/bin/env", all);
}

int calls_of(const std::string& program, const Words& words) {
  const TemporaryFolder folder;
  const std::string count = folder / "count";
  const auto result = run_failing(program, words, {}, count);
  REQUIRE_MESSAGE(result.status == 0, result.err);
  return std::stoi(read_text(count));
}

// All ways, or of each call one and of many calls some.
std::vector<Way> ways(int calls, int most) {
  constexpr int kErrors[] = {ENOSPC, EIO, EDQUOT, EROFS, 0};
  const bool all = count_from("FAILURES", -1) != -1;
  std::vector<Way> list;
  const int step = all ? 1 : (calls + most - 1) / most;
  for (int call = 1; call <= calls; call += step) {
    if (!all) list.push_back({call, kErrors[list.size() % 5], list.size() % 2 == 1});
    if (!all) continue;
    for (const int error : kErrors) list.push_back({call, error, false});
    list.push_back({call, ENOSPC, true});
  }
  return list;
}

void check_one_line(const ProgramResult& result, const std::string& program) {
  CHECK(result.err.starts_with(fs::path(program).filename().string() + ": "));
  CHECK(std::ranges::count(result.err, '\n') == 1);
}

}  // namespace

TEST_CASE("a write that fails: one line, the old file, no leftovers") {
  const TinyTraining tiny;
  for (const FileJob& job : file_jobs(tiny)) {
    const int calls = calls_of(job.program, job.words);
    const std::string fresh = read_text(job.output);
    for (const Way& way : ways(calls, 6)) {
      CAPTURE(job.output);
      CAPTURE(way.call);
      CAPTURE(way.error);
      fs::remove(job.output);
      std::ofstream(job.output) << "old";
      const auto result = run_failing(job.program, job.words, way);
      CAPTURE(result.err);
      if (way.error == 0) {
        CHECK(result.status == 0);
      } else {
        CHECK(result.status == 1);
        if (job.program.ends_with("import_weights")) check_one_line(result, job.program);
      }
      const std::string left = read_text(job.output);
      CHECK((left == fresh || (left == "old" && result.status == 1)));
      CHECK(no_leftovers(tiny.path()));
    }
    fs::remove(job.output);
  }
}

namespace {

// The run fails, a second program goes on, and the result is that of a run in which nothing failed.
void check_failing_run(const TinyRun& tiny, int most) {
  const int calls = calls_of(TinyRun::program(), tiny.fresh());
  const RunOutcome expected = run_outcome(tiny.run());
  int stopped = 0;
  std::vector<Way> list = ways(calls, most);
  for (int call = 19; call <= 23; ++call)
    list.push_back({call, EIO, false});  // around the first line of metrics
  for (const Way& way : list) {
    CAPTURE(way.call);
    CAPTURE(way.error);
    CAPTURE(way.rest);
    fs::remove_all(tiny.run());
    const auto result = run_failing(TinyRun::program(), tiny.fresh(), way);
    CAPTURE(result.err);
    // 0: it was a preview, the report or a line of metrics that could be written later.
    CHECK((result.status == 1 || result.status == 0));
    if (result.status == 0) CHECK(run_outcome(tiny.run()) == expected);
    stopped += result.status;
    // A resume in which something fails, then one in which nothing does.
    if (fs::exists(tiny.run() + "/config.toml"))
      CHECK(run_failing(TinyRun::program(), tiny.resumed(), {way.call % 7 + 1, way.error, way.rest}).status >=
            0);
    const auto last = go_on(tiny);
    CHECK_MESSAGE(last.status == 0, last.err);
    CHECK(run_outcome(tiny.run()) == expected);
    CHECK(no_leftovers(tiny.run()));
  }
  CHECK(stopped > 0);
}

}  // namespace

TEST_CASE("a write that fails in a training: a resume is exact") {
  check_failing_run(TinyTraining(), 14);
}

TEST_CASE("a write that fails in a training of a depth network: a resume is exact") {
  check_failing_run(TinyDepth(), 6);
}
